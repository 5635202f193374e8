// The Worker's service. worker.cpp exports it to the host, app_test.cpp calls it natively in simulated time.

#pragma once

#include <escapement/io/http/service.h>

// `upstream` sends requests: the host's fetch in a Worker, a stand-in in the test.
escapement::Task<escapement::http::Response> handle(escapement::http::Request request,
                                                    escapement::http::Service upstream);
