// The files that esc-fetch reads and sends.

#pragma once

#include <string>

#include <escapement/core/error.h>
#include <escapement/io/http/message.h>

namespace escapement {

// Returns the content of a file, or of standard input for "-".
Result<std::string> read_file(const std::string& name);

// Returns a body of a file, or of standard input for "-". One of up to 1 MiB is held in memory, so that it
// can be sent again; a longer one is read while it is sent.
Result<http::Body> file_to_send(const std::string& name);

// Returns whether there is a file, folder or link of this name.
bool is_there(const std::string& name);

// Makes the folders that the file is in, those above too. Errors: one cannot be made.
Result<> make_folders_of(const std::string& name);

// Returns the bytes that a file has, 0 if there is none.
std::uint64_t size_of_file(const std::string& name);

}  // namespace escapement
