"""Operations on the steps of a case: who connects, logs in, waits and leaves, and when.

Most of what breaks a chat server takes an order of events that a single segment cannot
say: frames before LOGIN, a second LOGIN, a receiver that vanishes half way, a client over
the other transport.
"""

from __future__ import annotations

from fuzz.case import USER_TOKENS, Step, StepKind, Transport, opening
from fuzz.generate.draft import MAX_STEPS, Draft, Operation, on_connection, replace_data
from fuzz.generate.edges import arrival
from fuzz.generate.values import bad_login, fresh_frame, fresh_frame_to, login_frame

#: A pause mostly costs this much at most: at thousands of cases a second it is felt at once.
PAUSE_MS = 20
#: And now and then this much, to let a timer of the server run out.
LONG_PAUSE_MS = 200
#: Pauses of one case: two let a timer fire and what follows be seen.
MAX_PAUSES = 2
#: Repetitions of a step, mostly and at most: the second is enough to fill queues.
REPEATS, MANY_REPEATS = 8, 100


def drop_login(draft: Draft) -> bool:
    """Take out a LOGIN, so that what follows it is played by a stranger."""
    logins = draft.logins()
    if not logins:
        return False
    del draft.steps[draft.pick(logins)]
    return True


def send_before_login(draft: Draft) -> bool:
    """Move a segment to just before a LOGIN, on its connection; make one up if need be."""
    logins = draft.logins()
    if not logins:
        return False
    login = draft.pick(logins)
    connection = draft.steps[login].connection
    later = [i for i in draft.sends() if i > login and draft.steps[i].connection == connection]
    if later and draft.chance(0.7):
        draft.steps.insert(login, draft.steps.pop(draft.pick(later)))
        return True
    return draft.insert(login, Step(StepKind.SEND, connection, fresh_frame(draft)))


def login_again(draft: Draft) -> bool:
    """Log in once more on a connection in use, as the same user or another."""
    user = draft.someone() if draft.chance(0.5) else draft.fresh_user()
    index = draft.below(len(draft.steps) + 1)
    connection = draft.pick(draft.connections())
    if draft.chance(0.5):
        return draft.insert(index, Step(StepKind.LOGIN, connection, user))
    return draft.insert(index, Step(StepKind.SEND, connection, login_frame(user)))


def login_text(draft: Draft) -> bool:
    """Give a LOGIN a text that a server should refuse or has to bear."""
    logins = draft.logins()
    if not logins:
        return False
    index = draft.pick(logins)
    if draft.chance(0.2):
        text = draft.steps[index].data
        return draft.set_data(index, draft.byte_mutate(text, len(text) + 16))
    if not draft.set_data(index, bad_login(draft)):
        return False
    if draft.chance(0.5):
        # What comes of a name that was borne shows when its user does something.
        says = Step(StepKind.SEND, draft.steps[index].connection, fresh_frame(draft))
        draft.insert(index + 1, says)
    return True


def add_client(draft: Draft) -> bool:
    """Bring in one more logged-in client; mostly let one of the two address the other."""
    connection = draft.fresh_connection()
    if connection is None:
        return False
    user = draft.fresh_user()
    index = draft.below(len(draft.steps) + 1)
    steps = [*arrival(draft, connection), Step(StepKind.LOGIN, connection, user)]
    if draft.chance(0.4):
        steps.append(Step(StepKind.SEND, connection, fresh_frame(draft)))
    elif draft.chance(0.8):
        sender = draft.pick(draft.connections())
        steps.append(Step(StepKind.SEND, sender, fresh_frame_to(draft, user)))
    return draft.insert(index, *steps)


def move_to_connection(draft: Draft) -> bool:
    """Play a step on another connection."""
    connections = draft.connections()
    if len(connections) < 2:
        return False
    index = draft.below(len(draft.steps))
    step = draft.steps[index]
    other = draft.pick([n for n in connections if n != step.connection])
    draft.steps[index] = on_connection(step, other)
    return True


def swap_steps(draft: Draft) -> bool:
    """Exchange two steps."""
    if len(draft.steps) < 2:
        return False
    first, second = draft.rng.sample(range(len(draft.steps)), 2)
    steps = draft.steps
    if steps[first] == steps[second]:
        return False
    steps[first], steps[second] = steps[second], steps[first]
    return True


def drop_step(draft: Draft) -> bool:
    """Leave a step out."""
    if len(draft.steps) < 2:
        return False
    del draft.steps[draft.below(len(draft.steps))]
    return True


def repeat_step(draft: Draft) -> bool:
    """Repeat a step, as often as the case has room for at most."""
    if not draft.steps:
        return False
    index = draft.below(len(draft.steps))
    step = draft.steps[index]
    if step.kind is StepKind.PAUSE:
        return False
    most = MANY_REPEATS if draft.chance(0.05) else REPEATS
    times = min(1 + draft.below(most), MAX_STEPS - len(draft.steps))
    if times < 1:
        return False
    draft.steps[index:index] = [step] * times
    return True


def reset_halfway(draft: Draft) -> bool:
    """Cut a segment at any byte and reset the connection there."""
    index = draft.pick_send()
    if index is None:
        return False
    step = draft.steps[index]
    cut = draft.below(len(step.data) + 1)
    draft.steps[index] = replace_data(step, step.data[:cut])
    return _leave(draft, index, StepKind.RESET)


def half_close(draft: Draft) -> bool:
    """Let a client half-close after some step, while the others go on."""
    if not draft.steps:
        return False
    return _leave(draft, draft.below(len(draft.steps)), StepKind.HALF_CLOSE)


def reconnect(draft: Draft) -> bool:
    """Let a client leave, politely or not, and come back as the same user to go on."""
    logins = draft.logins()
    fresh = draft.fresh_connection()
    if not logins or fresh is None:
        return False
    login = draft.steps[draft.pick(logins)]
    after = [i for i, step in enumerate(draft.steps) if step.connection == login.connection]
    index = draft.pick(after)
    leaving = StepKind.HALF_CLOSE if draft.chance(0.5) else StepKind.RESET
    again = Step(StepKind.LOGIN, fresh, login.data)
    if not draft.insert(index + 1, Step(leaving, login.connection), again):
        return False
    for later in range(index + 3, len(draft.steps)):
        step = draft.steps[later]
        if step.connection == login.connection:
            draft.steps[later] = on_connection(step, fresh)
    return True


def insert_wait(draft: Draft) -> bool:
    """Wait for the replies at some point."""
    return draft.insert(draft.below(len(draft.steps) + 1), Step(StepKind.WAIT))


def pause(draft: Draft) -> bool:
    """Let some milliseconds pass, at most twice a case."""
    if sum(step.kind is StepKind.PAUSE for step in draft.steps) >= MAX_PAUSES:
        return False
    longest = LONG_PAUSE_MS if draft.chance(0.03) else PAUSE_MS
    step = Step(StepKind.PAUSE, draft.pick(draft.connections()), value=1 + draft.below(longest))
    return draft.insert(draft.below(len(draft.steps) + 1), step)


def other_transport(draft: Draft) -> bool:
    """Let a connection come over WebSocket in place of TCP, or the other way round."""
    connection = draft.pick(draft.connections())
    first = next((i for i, s in enumerate(draft.steps) if s.connection == connection), 0)
    opened = draft.steps[first] if draft.steps else None
    if opened is not None and opened.kind is StepKind.OPEN:
        others = [transport for transport in Transport if transport != opened.transport]
        draft.steps[first] = opening(connection, draft.pick(others), opened.edge)
        return True
    return draft.insert(first, opening(connection, Transport.WEBSOCKET))


def swap_users(draft: Draft) -> bool:
    """Let a LOGIN take another of the case's users: one name on two connections, or a stranger."""
    logins = draft.logins()
    if not logins:
        return False
    return draft.set_data(draft.pick(logins), draft.pick(USER_TOKENS[:4]))


def _leave(draft: Draft, index: int, kind: StepKind) -> bool:
    """End the connection of the step at ``index`` right after it, and all it had to say."""
    connection = draft.steps[index].connection
    later = [step for step in draft.steps[index + 1 :] if step.connection != connection]
    draft.steps[index + 1 :] = [Step(kind, connection), *later]
    return len(draft.steps) <= MAX_STEPS


OPERATIONS = (
    Operation("login-drop", 10, drop_login),
    Operation("login-late", 14, send_before_login),
    Operation("login-again", 12, login_again),
    Operation("login-text", 26, login_text),
    Operation("login-other-user", 6, swap_users),
    Operation("client-add", 24, add_client),
    Operation("step-other-connection", 10, move_to_connection),
    Operation("step-swap", 14, swap_steps),
    Operation("step-drop", 22, drop_step),
    Operation("step-repeat", 16, repeat_step),
    Operation("reset-halfway", 8, reset_halfway),
    Operation("half-close", 6, half_close),
    Operation("reconnect", 12, reconnect),
    Operation("wait", 10, insert_wait),
    Operation("pause", 1, pause),
    Operation("transport", 3, other_transport),
)
