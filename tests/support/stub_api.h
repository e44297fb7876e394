// StubApi: a stand-in for the server behind the JSON gateway, inside of the process, and StubGateway: the real gateway
// and the real listener in front of it. Every message of every method is given to one function, and what that returns
// is the answer: the first message's where the method answers once, each message's where it answers with a stream.
//
// Threading: the function is called on gRPC's threads, several at a time. Ownership: StubGateway owns everything and
// ends it in order. Failure: the constructor ends the process where it cannot listen on 127.0.0.1.
//
//   StubGateway world({}, [](const StubApi::Message& message) { return std::string(); });
//   HttpClient(world.port()).Post("/v1/collections:list", "{}");
#ifndef SIGHTLINE_TESTS_SUPPORT_STUB_API_H_
#define SIGHTLINE_TESTS_SUPPORT_STUB_API_H_

#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_replace.h"
#include "server/http/gateway.h"
#include "server/http/http_server.h"
#include "server/http/pages.h"
#include "server/http/site.h"
#include "server/limits.h"
#include "server/rpc/status_map.h"

namespace sightline::testing {

class StubApi final : public grpc::CallbackGenericService {
 public:
  struct Message {
    const google::protobuf::MethodDescriptor* method;
    std::string bytes;
  };
  // The bytes of the answer, or an error that ends the call.
  using Answer = std::function<absl::StatusOr<std::string>(const Message&)>;

  explicit StubApi(Answer answer) : answer_(std::move(answer)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    return new Call(*this, context->method());  // gRPC's until OnDone
  }

  int messages() const { return messages_; }
  int ended() const { return ended_; }  // calls

 private:
  class Call final : public grpc::ServerGenericBidiReactor {
   public:
    Call(StubApi& api, const std::string& path)
        : api_(api),
          // "/sightline.v1.SearchService/Search"
          method_(google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
              absl::StrReplaceAll(path.substr(1), {{"/", "."}}))) {
      StartRead(&request_);
    }

    void OnReadDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::OK);
      grpc::Slice slice;
      if (!request_.DumpToSingleSlice(&slice).ok()) return Finish(grpc::Status(grpc::StatusCode::INTERNAL, "no bytes"));
      ++api_.messages_;
      const absl::StatusOr<std::string> answer =
          api_.answer_({method_, std::string(reinterpret_cast<const char*>(slice.begin()), slice.size())});
      if (!answer.ok()) return Finish(server::ToGrpcStatus(answer.status()));
      if (std::exchange(answered_, true) && !method_->server_streaming()) return StartRead(&request_);
      const grpc::Slice bytes(*answer);
      reply_ = grpc::ByteBuffer(&bytes, 1);
      StartWrite(&reply_);
    }
    void OnWriteDone(bool ok) override { ok ? StartRead(&request_) : Finish(grpc::Status::CANCELLED); }
    void OnDone() override {
      ++api_.ended_;
      delete this;
    }

   private:
    StubApi& api_;
    const google::protobuf::MethodDescriptor* const method_;
    grpc::ByteBuffer request_;
    grpc::ByteBuffer reply_;
    bool answered_ = false;
  };

  const Answer answer_;
  std::atomic<int> messages_ = 0;
  std::atomic<int> ended_ = 0;
};

class StubGateway {
 public:
  StubGateway(const server::Limits& limits, StubApi::Answer answer)
      : limits_(limits), api_(std::move(answer)), gateway_(*server::Gateway::Make(limits_)) {
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(&api_);
    builder.SetMaxReceiveMessageSize(-1);
    grpc_ = builder.BuildAndStart();
    gateway_->Connect(grpc_->InProcessChannel({}));
    http_ = *server::HttpServer::Start({.address = "127.0.0.1:0"}, &site_);
  }
  ~StubGateway() {
    http_.reset();
    gateway_->Disconnect();
    grpc_->Shutdown();
  }

  int port() const { return http_->port(); }
  const StubApi& api() const { return api_; }
  server::Gateway& gateway() { return *gateway_; }

 private:
  const server::Limits limits_;
  StubApi api_;
  std::unique_ptr<server::Gateway> gateway_;
  server::Pages pages_{{}};
  server::Site site_{{}, &pages_, gateway_.get(), nullptr};
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<server::HttpServer> http_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_STUB_API_H_
