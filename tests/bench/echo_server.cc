#include "tests/bench/echo_server.h"

namespace sightline::bench {

class EchoServer::Call {
 public:
  Call(EchoService::AsyncService* service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue), responder_(&context_) {
    service_->RequestEcho(&context_, &message_, &responder_, queue_, queue_, this);
  }

  void Proceed(bool ok) {
    if (!ok || replied_) {
      delete this;
      return;
    }
    new Call(service_, queue_);
    replied_ = true;
    responder_.Finish(message_, grpc::Status::OK, this);
  }

 private:
  EchoService::AsyncService* const service_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;
  EchoMessage message_;
  grpc::ServerAsyncResponseWriter<EchoMessage> responder_;
  bool replied_ = false;
};

EchoServer::EchoServer() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(&service_);
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return;
  constexpr int kListeners = 64;
  for (int i = 0; i < kListeners; ++i) new Call(&service_, queue_.get());
  thread_ = std::thread([this] {
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) static_cast<Call*>(tag)->Proceed(ok);
  });
}

EchoServer::~EchoServer() {
  if (server_ != nullptr) server_->Shutdown();
  queue_->Shutdown();
  if (thread_.joinable()) thread_.join();
}

}  // namespace sightline::bench
