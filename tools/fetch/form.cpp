#include "tools/fetch/form.h"

#include <escapement/middleware/files/content_type.h>

#include "tools/fetch/files.h"

namespace escapement {

namespace {

struct FormPart {
  char mark = '\0';   // '@': the name of a file to send, '<': of one with the value
  std::string value;  // behind the mark
  std::string type;
  std::optional<std::string> file_name;
};

// Takes a value, perhaps in quotes, up to the next semicolon.
std::string take_word(std::string_view& text) {
  std::string word;
  if (text.starts_with('"')) {
    std::size_t at = 1;
    for (; at < text.size() && text[at] != '"'; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      word += text[at];
    }
    text.remove_prefix(std::min(at + 1, text.size()));
    return word;
  }
  const std::size_t end = std::min(text.find(';'), text.size());
  word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

// A semicolon that begins none of the known settings is part of the type, as in "text/plain;charset=x".
FormPart parse(std::string_view text) {
  FormPart part;
  if (text.starts_with('@') || text.starts_with('<')) {
    part.mark = text.front();
    text.remove_prefix(1);
  }
  part.value = take_word(text);
  std::string* last = &part.value;
  while (!text.empty()) {
    text.remove_prefix(text.starts_with(';') ? 1 : 0);
    while (text.starts_with(' ')) text.remove_prefix(1);
    if (text.starts_with("type=")) {
      text.remove_prefix(5);
      part.type = take_word(text);
      last = &part.type;
    } else if (text.starts_with("filename=")) {
      text.remove_prefix(9);
      part.file_name = take_word(text);
      last = &*part.file_name;
    } else {
      *last += ';' + take_word(text);
    }
  }
  return part;
}

Result<> add_file(http::Multipart& form, const std::string& name, FormPart part) {
  const std::string& path = part.value;
  Result<http::Body> content = file_to_send(path);
  if (!content) return std::move(content).error();
  if (part.type.empty()) {
    const std::string_view known = http::content_type_of(path);
    part.type = known.substr(0, known.find(';'));  // a charset would be a guess about the file
  }
  const std::string shown = part.file_name.value_or(path.substr(path.rfind('/') + 1));
  form.file(name, shown, part.type, *std::move(content));
  return {};
}

}  // namespace

Result<http::Multipart> form_of(const FetchOptions& options) {
  http::Multipart form;
  for (const DataPiece& piece : options.data) {
    const std::size_t equals = piece.value.find('=');
    if (equals == piece.value.npos || equals == 0) {
      return Error(Errc::invalid_argument, "-F \"" + piece.value + "\" is not NAME=CONTENT");
    }
    const std::string name = piece.value.substr(0, equals);
    const std::string value = piece.value.substr(equals + 1);
    if (piece.kind == DataPiece::Kind::form_text) {
      form.field(name, value);
      continue;
    }
    for (const char* setting : {";headers=", ";encoder="}) {
      if (value.find(setting) != value.npos) {
        return Error(
            Errc::invalid_argument,
            "-F \"" + piece.value + "\": only ;type= and ;filename= are known (--form-string sends text)");
      }
    }
    FormPart part = parse(value);
    if (part.mark == '@') {
      Result<> added = add_file(form, name, std::move(part));
      if (!added) return std::move(added).error();
      continue;
    }
    if (part.mark == '<') {
      Result<std::string> read = read_file(part.value);
      if (!read) return std::move(read).error();
      part.value = *std::move(read);
    }
    if (part.file_name) {
      form.file(name, *part.file_name, part.type, part.value);
    } else {
      form.field(name, part.value, part.type);
    }
  }
  return form;
}

}  // namespace escapement
