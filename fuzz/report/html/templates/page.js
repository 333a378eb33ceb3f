"use strict";
(() => {
  const KEY = "iris-fuzz-scheme";
  const said = document.getElementById("said");
  const say = (text) => { said.textContent = text; };

  // A browser may forbid a page of a file to keep anything: then the choice is for now.
  const kept = (value) => {
    try {
      if (value === undefined) return localStorage.getItem(KEY);
      localStorage.setItem(KEY, value);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
    return null;
  };
  const chosen = document.getElementById(`scheme-${kept()}`);
  if (chosen) chosen.checked = true;
  for (const input of document.querySelectorAll("input[name=scheme]")) {
    input.addEventListener("change", () => kept(input.value));
  }

  const select = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };
  const copy = async (button) => {
    const element = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(element.textContent);
      say("Copied");
      button.firstChild.data = "Copied";
      setTimeout(() => { button.firstChild.data = "Copy"; }, 2000);
    } catch {
      select(element);
      say("Not allowed to copy: the text is selected, copy it by hand");
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.copy) copy(button);
    const place = button.dataset.open || button.dataset.close;
    if (place) {
      for (const box of document.querySelectorAll(`#${place} .finding`)) {
        box.open = Boolean(button.dataset.open);
      }
    }
  });
  const offer = (root) => {
    for (const button of root.querySelectorAll("button[hidden]")) button.hidden = false;
  };
  offer(document);

  // Where a browser cannot open a closed box for a link by itself.
  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    const box = target && target.closest("details");
    if (box && !box.open) {
      box.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();

  if (!("live" in document.body.dataset)) return;

  const EVERY = 2000;
  const state = document.getElementById("live-state");
  const parse = new DOMParser();
  let tag = "";

  // What a reader has opened, scrolled or reached by keyboard stays so.
  const replace = (section, html) => {
    const boxes = new Map([...section.querySelectorAll("details[id]")].map((box) => [box.id, box.open]));
    const focused = section.contains(document.activeElement) ? document.activeElement : null;
    const way = focused && focused.tagName === "SUMMARY" ? `#${focused.parentElement.id} > summary` : focused && focused.id ? `#${focused.id}` : "";
    const scrolled = [...section.querySelectorAll("[tabindex]")].map((box) => [box.scrollLeft, box.scrollTop]);
    section.replaceChildren(...parse.parseFromString(html, "text/html").body.childNodes);
    for (const box of section.querySelectorAll("details[id]")) {
      if (boxes.has(box.id)) box.open = boxes.get(box.id);
    }
    [...section.querySelectorAll("[tabindex]")].forEach((box, n) => {
      if (scrolled[n]) [box.scrollLeft, box.scrollTop] = scrolled[n];
    });
    offer(section);
    const again = way && section.querySelector(way);
    if (again) again.focus({ preventScroll: true });
  };
  const busy = (section) => {
    const selection = getSelection();
    return !selection.isCollapsed && section.contains(selection.anchorNode);
  };
  // Returns what is wrong, nothing if all is well.
  const refresh = async () => {
    const answer = await fetch("/state.json", { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.status === 304) return "";
    if (!answer.ok) return answer.text();
    const told = await answer.json();
    const ids = Object.keys(told.sections);
    const here = [...document.querySelectorAll("main > section")].map((section) => section.id);
    if (ids.join() !== here.join()) {
      location.reload();
      return "";
    }
    document.title = told.title;
    let whole = true;
    for (const id of ids) {
      const section = document.getElementById(id);
      if (section.dataset.digest === told.sections[id]) continue;
      if (busy(section)) {
        whole = false;
        continue;
      }
      const part = await fetch(`/section/${id}`, { cache: "no-store" });
      if (!part.ok) return part.text();
      section.dataset.digest = part.headers.get("X-Digest");
      replace(section, await part.text());
    }
    tag = whole ? answer.headers.get("ETag") : "";
    return "";
  };
  const tick = async () => {
    let wrong = "the server does not answer: this is the last that it said";
    try {
      wrong = await refresh();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // that is how fetch says: no answer
    }
    document.body.classList.toggle("stale", Boolean(wrong));
    const now = wrong || "live";
    if (state.textContent !== now) state.textContent = now;
    setTimeout(tick, EVERY);
  };
  setTimeout(tick, EVERY);
})();
