// A chat: each line that a client sends goes to all the others. Limits on clients, lines, silence, and
// slowness.

#pragma once

#include <memory>

#include <escapement/core/task.h>
#include <escapement/io/stream.h>

// Serves until it is cancelled. At most 1,000 clients; more wait to be accepted. A client that is silent for
// 60 s, sends a line of more than 4 KiB, or takes nothing for 10 s, is disconnected.
escapement::Task<> serve_lines(std::unique_ptr<escapement::Listener> listener);
