// AsyncService: one service of the API as gRPC knows it, whose calls are handed out when their headers have come.
//
// gRPC's generated services hand out a call of one message only when that has come too. A call that its caller resets
// before never comes out, then: nobody can tell who opens calls only to give them up. And nothing can be decided from
// the headers, such as that the server is shutting down, before up to 40 MB of message have been read. To gRPC all
// methods are streams here, therefore; the caller cannot tell.
//
// Threading: Add before the server starts; Listen from any thread. Ownership: outlives the server and its methods.
//
//   AsyncService service("sightline.v1.SearchService");
//   const AsyncMethod search = service.Add("Search");
//   builder.RegisterService(&service);
//   search.Listen(&context, &stream, queue, &tag);  // stream: a grpc::ServerAsyncReaderWriter
#ifndef SIGHTLINE_SERVER_RPC_ASYNC_SERVICE_H_
#define SIGHTLINE_SERVER_RPC_ASYNC_SERVICE_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_context.h>

#include <deque>
#include <string>
#include <utility>

namespace sightline::server {

class AsyncService;

class AsyncMethod {
 public:
  // `tag` comes back with the next call of the method, or failed when the server shuts down. `context` and `stream`
  // live until the call is over.
  void Listen(grpc::ServerContext* context, grpc::internal::ServerAsyncStreamingInterface* stream,
              grpc::ServerCompletionQueue* queue, void* tag) const;

 private:
  friend class AsyncService;
  AsyncMethod(AsyncService* service, int index) : service_(service), index_(index) {}

  AsyncService* service_;
  int index_;  // in the service, which is how gRPC names a method
};

class AsyncService final : public grpc::Service {
 public:
  explicit AsyncService(std::string full_name) : full_name_(std::move(full_name)) {}

  const std::string& full_name() const { return full_name_; }

  // A method that is not added is UNIMPLEMENTED.
  AsyncMethod Add(const std::string& method);

 private:
  friend class AsyncMethod;

  const std::string full_name_;
  std::deque<std::string> paths_;  // gRPC keeps pointers to them
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_ASYNC_SERVICE_H_
