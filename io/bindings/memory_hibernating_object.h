// MemoryHibernatingObject: runs one HibernatingObject natively or in a simulation, as Cloudflare does in a
// Worker.
//
//     MemoryHibernatingObject room(sim.reactor(), disk, make_room);
//     std::unique_ptr<WebSocket> client = *sim.run(room.connect(http::get("http://room/")));
//     room.evict();  // it sleeps; the connection stays
//     REQUIRE(sim.run(client->send("wakes it")));

#pragma once

#include <list>
#include <memory>
#include <optional>

#include <escapement/core/scope.h>
#include <escapement/io/bindings/hibernating_object.h>
#include <escapement/io/bindings/memory_durable_object.h>

namespace escapement {

class MemoryHibernatingObject {
 public:
  // `disk` and the reactor must outlive it.
  MemoryHibernatingObject(Reactor& reactor, MemoryDisk& disk, MakeHibernatingObject make,
                          MemoryStorageOptions options = MemoryStorageOptions());
  MemoryHibernatingObject(const MemoryHibernatingObject&) = delete;
  ~MemoryHibernatingObject();

  // Passes a request to the object, as MemoryDurableObject::fetch does.
  Task<http::Response> fetch(http::Request request);
  // Opens a WebSocket to the object, and yields the client's end. Fails with permission_denied, and the
  // status that the object's `fetch` responds with, if it is not accepted.
  Task<std::unique_ptr<WebSocket>> connect(http::Request request);
  // Destroys the instance with its tasks; the connections stay. Must not be called from inside one of them.
  void evict() { object_.evict(); }
  // Returns the number of open connections.
  std::size_t connections() const { return connections_.size(); }

 private:
  class Connection;
  class Sockets;

  Task<> decide(const http::Request& request, std::optional<WebSocketAcceptance>& to);
  Task<> carry(std::list<std::shared_ptr<Connection>>::iterator connection);
  Task<> carry_messages(Connection& connection);

  std::list<std::shared_ptr<Connection>> connections_;
  std::unique_ptr<Sockets> sockets_;
  MemoryDurableObject object_;
  Scope carriers_;  // last: they use the others
};

}  // namespace escapement
