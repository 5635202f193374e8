// basic_credentials: a user and a password as a value of Authorization. See io/http/basic_credentials.h.

#pragma once

#include <escapement/io/http/basic_credentials.h>
