#include <escapement/core/task.h>

#ifdef __cpp_exceptions
#include <exception>
#include <new>
#endif

namespace escapement::detail {

void PromiseBase::fail(Error error, BuiltWithTaskTree<task_tree>) {
  ESC_CHECK(error.state_ != nullptr, "a task was to fail with an Error that was moved from");
  PromiseBase* failing = this;
  for (;;) {
    failing->unlink();
    failing->error_ = std::move(error);
    failing->next_ |= finished_flag;
    if (failing->continuation() == nullptr) return;
    if (!failing->propagates()) break;
    error = failing->take_error();
    failing = static_cast<PromiseBase*>(failing->continuation());
  }
  failing->reactor_->resume_next(*failing->continuation());
}

const Runnable* PromiseBase::awaited_by(std::shared_ptr<const LocalValues>&) const { return continuation(); }

#ifdef __cpp_exceptions
namespace {

Error exception_error(const char* what) noexcept {
  try {
    return Error(Errc::exception, what);
  } catch (const std::bad_alloc&) {
    return Error::out_of_memory();
  }
}

}  // namespace
#endif

Error error_from_current_exception() noexcept {
#ifdef __cpp_exceptions
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return Error::out_of_memory();
  } catch (const std::exception& exception) {
    return exception_error(exception.what());
  } catch (...) {
    return exception_error("an exception that is no std::exception");
  }
#else
  __builtin_trap();  // nothing can throw
#endif
}

std::optional<Error> catching(void (*function)(void*), void* argument) {
#ifdef __cpp_exceptions
  try {
    function(argument);
  } catch (...) {
    return error_from_current_exception();
  }
#else
  function(argument);
#endif
  return std::nullopt;
}

}  // namespace escapement::detail
