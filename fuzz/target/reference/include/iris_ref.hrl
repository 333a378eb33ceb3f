%%% The published limits, in bytes unless named otherwise (Iris Protocol v1.0 freeze, section 4).

-define(MAX_NAME, 256).
-define(MAX_MESSAGE, 65536).
-define(MAX_BATCH, 1048576).
-define(MAX_BATCH_MESSAGES, 1000).
-define(MAX_MSG_ID, 64).
-define(MAX_CBOR, 262144).
-define(MAX_BUNDLE, 8192).
-define(MAX_HEADER, 1024).
-define(MAX_CIPHERTEXT, 65536).
%% Unparsed bytes of one connection. No frame may be larger: a larger one would pass or
%% fail depending on how TCP cuts it.
-define(MAX_BUFFER, 65536).
%% Messages that one connection has received and not yet acknowledged.
-define(MAX_AWAITING, 1000).
