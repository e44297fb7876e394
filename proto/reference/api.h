// The API as its proto files describe it, comments and code tables included: what the reference and the OpenAPI
// document are written from.
//
// Threading: immutable once read. Ownership: an Api owns the descriptors that its parts point at. Failure: a message
// that names the file or method and what the tool cannot express.
//
//   auto api = Api::Read(descriptor_set, "sightline.v1");
//   for (const Service& service : (*api)->services()) ...
#ifndef SIGHTLINE_PROTO_REFERENCE_API_H_
#define SIGHTLINE_PROTO_REFERENCE_API_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"

namespace sightline::reference {

// A row of a method's code table.
struct CodeRow {
  std::string code;  // "INVALID_ARGUMENT"
  std::string cause;
  std::string action;
};

// A comment of a proto file: its paragraphs, each on one line, and the rows of its code table.
struct Comment {
  std::vector<std::string> paragraphs;
  std::vector<CodeRow> codes;

  std::string Text() const;     // The paragraphs, with an empty line between them.
  std::string Summary() const;  // The first sentence without its full stop: what lists of methods show.
};

// A field of the request that is part of the path.
struct PathField {
  const google::protobuf::FieldDescriptor* field;
  std::string prefix;  // What stands before it in the field's value: "snapshots/", or nothing.
};

// One way to reach a method by HTTP.
struct Binding {
  std::string verb;  // "post"
  std::string path;  // As OpenAPI writes it: "/v1/snapshots/{name}".
  std::vector<PathField> path_fields;
  bool has_body;
};

struct Method {
  const google::protobuf::MethodDescriptor* descriptor;
  Comment comment;
  std::vector<Binding> bindings;
};

struct Service {
  const google::protobuf::ServiceDescriptor* descriptor;
  Comment comment;
  std::vector<Method> methods;
};

class Api {
 public:
  // Reads the services of `package` and everything they speak of.
  static absl::StatusOr<std::unique_ptr<Api>> Read(const google::protobuf::FileDescriptorSet& files,
                                                   absl::string_view package);

  const std::vector<Service>& services() const { return services_; }
  // Messages and enums that requests, replies and errors consist of, by name; protobuf's own are left out.
  const std::vector<const google::protobuf::Descriptor*>& messages() const { return messages_; }
  const std::vector<const google::protobuf::EnumDescriptor*>& enums() const { return enums_; }

  // "OtherSpace.State" for what the package defines, the full name for anything else.
  std::string Name(const google::protobuf::Descriptor* message) const { return Name(message->full_name()); }
  std::string Name(const google::protobuf::EnumDescriptor* type) const { return Name(type->full_name()); }

 private:
  Api() = default;

  absl::Status ReadServices(const google::protobuf::FileDescriptorSet& files);
  void Collect(const google::protobuf::Descriptor* message);
  std::string Name(absl::string_view full_name) const;

  google::protobuf::DescriptorPool pool_;
  std::string package_;
  std::vector<Service> services_;
  std::vector<const google::protobuf::Descriptor*> messages_;
  std::vector<const google::protobuf::EnumDescriptor*> enums_;
};

// The comment above a message, field, enum, value, service or method.
template <typename Descriptor>
Comment CommentOf(const Descriptor* descriptor);

// True for the messages of google.protobuf, whose JSON form is their own.
bool IsWellKnown(const google::protobuf::Descriptor* message);

// The oneof that the field belongs to, or null; `optional` alone makes none.
const google::protobuf::OneofDescriptor* OneofOf(const google::protobuf::FieldDescriptor* field);

}  // namespace sightline::reference

#endif  // SIGHTLINE_PROTO_REFERENCE_API_H_
