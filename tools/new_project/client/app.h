// The client: what it asks and how it insists. main.cpp runs it on sockets, app_test.cpp in a simulated
// network.

#pragma once

#include <string>

#include <escapement/core/task.h>
#include <escapement/io/stream.h>

// Fetches `url`: at most 3 attempts within 10 s, at most 1 MiB.
escapement::Task<std::string> fetch(escapement::Network& network, std::string url);
