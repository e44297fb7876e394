#include "proto/reference/api.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/api/annotations.pb.h"

namespace sightline::reference {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;

namespace {

// Errors carry these inside Any, where no field leads to them.
constexpr const char* kErrorMessages[] = {"google.rpc.Status", "google.rpc.ErrorInfo", "google.rpc.RetryInfo"};

// Keeps protobuf's errors off standard error, and the first of them.
struct FirstError : google::protobuf::DescriptorPool::ErrorCollector {
  void AddError(const std::string& /*file*/, const std::string& element,
                const google::protobuf::Message* /*descriptor*/, ErrorLocation /*location*/,
                const std::string& message) override {
    if (text.empty()) text = absl::StrCat(element, ": ", message);
  }
  std::string text;
};

absl::Status Refuse(const MethodDescriptor* method, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(method->full_name(), ": ", what));
}

absl::StatusOr<Binding> ReadBinding(const MethodDescriptor* method, const google::api::HttpRule& rule) {
  Binding binding{.verb = {}, .path = {}, .path_fields = {}, .has_body = !rule.body().empty()};
  if (binding.has_body && rule.body() != "*") {
    return Refuse(method, absl::StrCat("its HTTP body is '", rule.body(), "'. Use '*', or none."));
  }
  std::string path;
  switch (rule.pattern_case()) {
    case google::api::HttpRule::kGet: binding.verb = "get", path = rule.get(); break;
    case google::api::HttpRule::kPut: binding.verb = "put", path = rule.put(); break;
    case google::api::HttpRule::kPost: binding.verb = "post", path = rule.post(); break;
    case google::api::HttpRule::kDelete: binding.verb = "delete", path = rule.delete_(); break;
    case google::api::HttpRule::kPatch: binding.verb = "patch", path = rule.patch(); break;
    case google::api::HttpRule::PATTERN_NOT_SET: return Refuse(method, "an HTTP binding has no path. Give it one.");
  }
  for (size_t begin = 0; begin < path.size();) {
    const size_t open = path.find('{', begin);
    binding.path += path.substr(begin, open - begin);
    if (open == std::string::npos) break;
    const size_t close = path.find('}', open);
    if (close == std::string::npos) return Refuse(method, absl::StrCat("'", path, "' has a '{' without its '}'."));
    std::string name = path.substr(open + 1, close - open - 1), prefix;
    if (const size_t equals = name.find('='); equals != std::string::npos) {
      prefix = name.substr(equals + 1);
      name.resize(equals);
      if (!absl::EndsWith(prefix, "/*") || std::count(prefix.begin(), prefix.end(), '*') != 1) {
        return Refuse(method, absl::StrCat("'", path, "' has a pattern other than 'prefix/*'. Use that form."));
      }
      prefix.pop_back();
    }
    const FieldDescriptor* field = method->input_type()->FindFieldByName(name);
    if (field == nullptr || field->type() != FieldDescriptor::TYPE_STRING || field->is_repeated()) {
      return Refuse(method,
                    absl::StrCat("'", path, "' names '", name, "'. A path takes string fields of the request."));
    }
    absl::StrAppend(&binding.path, prefix, "{", name, "}");
    binding.path_fields.push_back({field, prefix});
    begin = close + 1;
  }
  return binding;
}

absl::StatusOr<Method> ReadMethod(const MethodDescriptor* descriptor) {
  Method method{.descriptor = descriptor, .comment = CommentOf(descriptor), .bindings = {}};
  // The files were parsed by this program's own descriptor.proto, which knows the extension.
  if (!descriptor->options().HasExtension(google::api::http)) {
    return Refuse(descriptor, "it has no google.api.http option. Add one.");
  }
  const google::api::HttpRule& rule = descriptor->options().GetExtension(google::api::http);
  auto first = ReadBinding(descriptor, rule);
  if (!first.ok()) return first.status();
  method.bindings.push_back(*std::move(first));
  for (const google::api::HttpRule& more : rule.additional_bindings()) {
    auto binding = ReadBinding(descriptor, more);
    if (!binding.ok()) return binding.status();
    method.bindings.push_back(*std::move(binding));
  }
  return method;
}

}  // namespace

bool IsWellKnown(const Descriptor* message) { return message->file()->package() == "google.protobuf"; }

const google::protobuf::OneofDescriptor* OneofOf(const FieldDescriptor* field) {
  return field->real_containing_oneof();
}

absl::StatusOr<std::unique_ptr<Api>> Api::Read(const google::protobuf::FileDescriptorSet& files,
                                               absl::string_view package) {
  std::unique_ptr<Api> api(new Api());
  api->package_ = std::string(package);
  for (const auto& file : files.file()) {
    FirstError error;
    if (api->pool_.BuildFileCollectingErrors(file, &error) == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.name(), ": ", error.text, " Make the set with --include_imports."));
    }
  }
  if (absl::Status read = api->ReadServices(files); !read.ok()) return read;
  for (const char* name : kErrorMessages) {
    const Descriptor* message = api->pool_.FindMessageTypeByName(name);
    if (message == nullptr)
      return absl::NotFoundError(absl::StrCat("The set lacks ", name, ". Give its file to protoc."));
    api->Collect(message);
  }
  const auto by_name = [](const auto* a, const auto* b) { return a->full_name() < b->full_name(); };
  std::sort(api->messages_.begin(), api->messages_.end(), by_name);
  std::sort(api->enums_.begin(), api->enums_.end(), by_name);
  return api;
}

absl::Status Api::ReadServices(const google::protobuf::FileDescriptorSet& files) {
  for (const auto& name : files.file()) {
    const FileDescriptor* file = pool_.FindFileByName(name.name());
    if (file->package() != package_) continue;
    for (int i = 0; i < file->service_count(); ++i) {
      const auto* descriptor = file->service(i);
      Service service{.descriptor = descriptor, .comment = CommentOf(descriptor), .methods = {}};
      for (int j = 0; j < descriptor->method_count(); ++j) {
        auto method = ReadMethod(descriptor->method(j));
        if (!method.ok()) return method.status();
        Collect(descriptor->method(j)->input_type());
        Collect(descriptor->method(j)->output_type());
        service.methods.push_back(*std::move(method));
      }
      services_.push_back(std::move(service));
    }
    // What only an Operation's result holds is reached by no field.
    for (int i = 0; i < file->message_type_count(); ++i) Collect(file->message_type(i));
  }
  if (services_.empty()) return absl::NotFoundError(absl::StrCat("The set has no service of ", package_, "."));
  return absl::OkStatus();
}

void Api::Collect(const Descriptor* message) {
  if (IsWellKnown(message) || std::find(messages_.begin(), messages_.end(), message) != messages_.end()) return;
  if (!message->options().map_entry()) messages_.push_back(message);
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldDescriptor* field = message->field(i);
    if (field->message_type() != nullptr) Collect(field->message_type());
    const EnumDescriptor* type = field->enum_type();
    if (type != nullptr && std::find(enums_.begin(), enums_.end(), type) == enums_.end()) enums_.push_back(type);
  }
}

std::string Api::Name(absl::string_view full_name) const {
  absl::ConsumePrefix(&full_name, absl::StrCat(package_, "."));
  return std::string(full_name);
}

}  // namespace sightline::reference
