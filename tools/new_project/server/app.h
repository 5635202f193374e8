// The application: its routes and limits, without sockets. main.cpp serves it, app_test.cpp calls it.

#pragma once

#include <escapement/io/http/service.h>

escapement::http::Service make_app();
