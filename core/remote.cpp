#include <escapement/core/remote.h>

namespace escapement {

// In a file of its own, so that a program without a Remote does not link it.
Remote Reactor::remote() {
  if (!remote_) {
    remote_ = std::make_shared<detail::RemoteEnd>();
    remote_->reactor = this;
    close_remote_ = [](detail::RemoteEnd& end) {
      const std::lock_guard<std::mutex> lock(end.mutex);
      end.reactor = nullptr;
    };
  }
  return Remote(remote_);
}

bool Remote::push(std::unique_ptr<Reactor::Posted> posted) const {
  if (!end_) return false;
  const std::lock_guard<std::mutex> lock(end_->mutex);
  if (end_->reactor == nullptr) return false;
  end_->reactor->push_posted(posted.release());
  return true;
}

}  // namespace escapement
