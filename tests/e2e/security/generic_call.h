// GenericCall: any RPC of the API by its name, with the smallest message that names a collection: for tests that go
// through all of them.
//
// Threading: one thread. Failure: the call's Status; of a stream, that of its first item.
#ifndef SIGHTLINE_TESTS_E2E_SECURITY_GENERIC_CALL_H_
#define SIGHTLINE_TESTS_E2E_SECURITY_GENERIC_CALL_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/rpc_status.h"
#include "sightline/v1/collection_service.pb.h"
#include "sightline/v1/index_service.pb.h"
#include "sightline/v1/model_service.pb.h"
#include "sightline/v1/operation_service.pb.h"
#include "sightline/v1/search_service.pb.h"
#include "sightline/v1/server_service.pb.h"

namespace sightline::testing {

using Headers = std::vector<std::pair<std::string, std::string>>;

// "SearchService/Search" to its descriptor, for every RPC that the API has.
inline std::map<std::string, const google::protobuf::MethodDescriptor*> AllMethods() {
  std::map<std::string, const google::protobuf::MethodDescriptor*> methods;
  for (const google::protobuf::FileDescriptor* file :
       {v1::SearchRequest::descriptor()->file(), v1::IndexRequest::descriptor()->file(),
        v1::CreateCollectionRequest::descriptor()->file(), v1::ListModelsRequest::descriptor()->file(),
        v1::GetOperationRequest::descriptor()->file(), v1::GetServerInfoRequest::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        const auto* const method = file->service(s)->method(m);
        methods[absl::StrCat(file->service(s)->name(), "/", method->name())] = method;
      }
    }
  }
  return methods;
}

// Names `collection` where the message can.
inline void NameCollection(const std::string& method, const std::string& collection,
                           google::protobuf::Message* message) {
  const auto* const type = message->GetDescriptor();
  const auto* field = type->FindFieldByName("collection");
  // Of these, a field called name is the collection's.
  for (const char* verb : {"CreateCollection", "GetCollection", "UpdateCollection", "DeleteCollection",
                           "OptimizeCollection", "ReembedCollection", "DropOtherSpace"}) {
    if (method == absl::StrCat("CollectionService/", verb)) field = type->FindFieldByName("name");
  }
  // An alias counts by its own name; where a collection is named too, both have to be the caller's.
  if (const auto* const alias = type->FindFieldByName("alias"); alias != nullptr) {
    message->GetReflection()->SetString(message, alias, collection);
    if (field == nullptr) field = alias;
  }
  if (field != nullptr) {
    message->GetReflection()->SetString(message, field, collection);
  } else if (const auto* inner = type->FindFieldByName("request"); inner != nullptr) {
    NameCollection("", collection, message->GetReflection()->MutableMessage(message, inner));
  }
}

class GenericCall {
 public:
  GenericCall(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel(address, credentials, arguments);
  }

  absl::Status Run(const std::string& method, const std::string& collection, const Headers& headers) {
    const auto* const descriptor = AllMethods().at(method);
    google::protobuf::DynamicMessageFactory factory;
    const std::unique_ptr<google::protobuf::Message> message(factory.GetPrototype(descriptor->input_type())->New());
    NameCollection(method, collection, message.get());
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    for (const auto& [name, value] : headers) context.AddMetadata(name, value);
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    const auto wait = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    const auto call = stub.PrepareCall(&context, absl::StrCat("/sightline.v1.", method), &queue);
    const std::string bytes = message->SerializeAsString();
    const grpc::Slice slice(bytes);
    grpc::ByteBuffer reply;
    grpc::Status status;
    call->StartCall(this);
    bool replied = false;
    if (wait()) {
      call->Write(grpc::ByteBuffer(&slice, 1), this);
      if (wait()) {
        call->WritesDone(this);
        wait();
      }
      call->Read(&reply, this);
      replied = wait();
    }
    call->Finish(&status, this);
    wait();
    queue.Shutdown();
    if (!status.ok()) {
      return client::FromCall(status.error_code(), status.error_message(), status.error_details(),
                              {"the server", absl::Seconds(20)});
    }
    return replied && descriptor->client_streaming() && descriptor->server_streaming() ? OfItem(reply)
                                                                                       : absl::OkStatus();
  }

 private:
  // Both kinds of stream answer an item alike.
  static absl::Status OfItem(const grpc::ByteBuffer& buffer) {
    std::vector<grpc::Slice> slices;
    std::string bytes;
    if (!buffer.Dump(&slices).ok()) return absl::UnknownError("no reply");
    for (const auto& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    v1::IndexStreamResponse item;
    if (!item.ParseFromString(bytes)) return absl::UnknownError("a reply of another kind");
    return client::FromRpcStatus(item.status());
  }

  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_E2E_SECURITY_GENERIC_CALL_H_
