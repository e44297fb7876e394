#include "server/rpc/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/support/status.h>

#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sightline::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

constexpr size_t kShown = 100;

void NotFound(absl::string_view kind, const std::string& name, ServerReflectionResponse* reply) {
  reply->mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
  reply->mutable_error_response()->set_error_message(absl::StrCat("this server has no ", kind, " ",
                                                                  absl::Utf8SafeCEscape(name.substr(0, kShown)),
                                                                  ". Ask for one of the services that it lists."));
}

// With all that it imports, each once.
void AddFile(const FileDescriptor& file, std::set<std::string>* seen, ServerReflectionResponse* reply) {
  if (!seen->insert(file.name()).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  reply->mutable_file_descriptor_response()->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i), seen, reply);
}

void AnswerFile(const FileDescriptor* file, absl::string_view kind, const std::string& name,
                ServerReflectionResponse* reply) {
  if (file == nullptr) return NotFound(kind, name, reply);
  std::set<std::string> seen;
  AddFile(*file, &seen, reply);
}

void AnswerExtensions(const std::string& name, const Descriptor* type, ServerReflectionResponse* reply) {
  if (type == nullptr) return NotFound("message", name, reply);
  auto& response = *reply->mutable_all_extension_numbers_response();
  response.set_base_type_name(name);
  std::vector<const FieldDescriptor*> extensions;
  DescriptorPool::generated_pool()->FindAllExtensions(type, &extensions);
  for (const FieldDescriptor* extension : extensions) response.add_extension_number(extension->number());
}

}  // namespace

void AnswerReflection(const std::vector<std::string>& services, const ServerReflectionRequest& request,
                      ServerReflectionResponse* reply) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  reply->set_valid_host(request.host());
  *reply->mutable_original_request() = request;
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kListServices:
      for (const std::string& name : services) reply->mutable_list_services_response()->add_service()->set_name(name);
      return;
    case ServerReflectionRequest::kFileByFilename:
      return AnswerFile(pool.FindFileByName(request.file_by_filename()), "file", request.file_by_filename(), reply);
    case ServerReflectionRequest::kFileContainingSymbol:
      return AnswerFile(pool.FindFileContainingSymbol(request.file_containing_symbol()), "symbol",
                        request.file_containing_symbol(), reply);
    case ServerReflectionRequest::kFileContainingExtension: {
      const auto& asked = request.file_containing_extension();
      const Descriptor* const type = pool.FindMessageTypeByName(asked.containing_type());
      const FieldDescriptor* const extension =
          type == nullptr ? nullptr : pool.FindExtensionByNumber(type, asked.extension_number());
      return AnswerFile(extension == nullptr ? nullptr : extension->file(), "extension",
                        absl::StrCat(asked.extension_number(), " of ", asked.containing_type()), reply);
    }
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      return AnswerExtensions(request.all_extension_numbers_of_type(),
                              pool.FindMessageTypeByName(request.all_extension_numbers_of_type()), reply);
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET: break;
  }
  reply->mutable_error_response()->set_error_code(grpc::StatusCode::INVALID_ARGUMENT);
  reply->mutable_error_response()->set_error_message("the request asks for nothing. Set one of its fields.");
}

}  // namespace sightline::server
