// ServerConnection: one connection of a Server, whatever protocol it speaks.
//
// The server knows its connections by this interface alone. `make_server_connection` chooses the
// implementation; HTTP/1.1 is the one that there is (h1/server_connection.h).
//
// A connection owns itself: it is made by `make_server_connection`, deletes itself when it has ended, and is
// in ServerShared::connections in between.

#pragma once

#include <memory>
#include <optional>

#include <escapement/core/event.h>
#include <escapement/core/task.h>
#include <escapement/io/http/detail/server_shared.h>
#include <escapement/io/stream.h>

namespace escapement::http::detail {

// Held by a task that waits for a connection which was given to the server by hand. The task is woken when
// the connection has gone; destroying the handle closes the connection.
class ServeHandle {
 public:
  explicit ServeHandle(escapement::detail::PromiseBase& task) : task_(task) {}
  ServeHandle(const ServeHandle&) = delete;
  ~ServeHandle();

  // False once the connection has gone.
  bool serving() const { return connection_ != nullptr; }
  // For a shutdown, while it is served: closes it if it is idle, and returns whether it was.
  bool close_if_idle();

  // Closes the connection when it runs. The connection's handlers and observers may do what ends the task.
  class Close final : public Runnable {
   public:
    explicit Close(ServeHandle& handle) : handle_(handle) {}
    void run() override;

   private:
    ServeHandle& handle_;
  };

 private:
  friend class ServerConnection;
  escapement::detail::PromiseBase& task_;
  ServerConnection* connection_ = nullptr;
};

// The way in which a connection came to the server.
struct Admission {
  ServeId serve_id = ServeId::none;
  // Held by a connection that counts against the server's limits.
  std::optional<Semaphore::Permit> permit;
  // Set for a connection that was given by hand.
  ServeHandle* handle = nullptr;
};

class ServerConnection {
 public:
  ServerConnection(const ServerConnection&) = delete;

  // Ends the connection now, which destroys it; if it is working further up the stack, as soon as that work
  // is done. server.h says who may ask for that there.
  virtual void close() = 0;
  // For a shutdown. True when no request is in flight and no byte of one has arrived. If bytes may have
  // arrived, looks at them in a turn of its own.
  virtual bool is_idle() = 0;
  // Visits the tasks of the connection, and its handler, for the task tree.
  virtual void visit_tasks(escapement::detail::TaskVisitor& visitor) const = 0;

 protected:
  // Enters the server's list and its counts.
  ServerConnection(ServerShared& shared, Reactor& reactor, Admission&& admission);
  ~ServerConnection() = default;

  // Call at the end of the destructor, while the stream exists: leaves the server's counts and wakes the
  // holder of the ServeHandle. `stream` may be null once the permit has been taken away.
  void leave_server(Stream* stream);

  ServerShared& shared_;
  Reactor& reactor_;
  std::optional<Semaphore::Permit> permit_;
  ServerMember member_;

 private:
  friend class ServeHandle;
  ServeHandle* handle_;
};

// Begins to serve `stream`, by the protocol that it agreed on.
void make_server_connection(ServerShared& shared, Reactor& reactor, std::unique_ptr<Stream> stream,
                            Admission&& admission);

}  // namespace escapement::http::detail
