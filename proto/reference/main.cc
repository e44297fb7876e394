// sightline-reference DESCRIPTORS VERSION OPENAPI PAGE: writes the OpenAPI document and the reference page of the API.
//
// DESCRIPTORS is what `protoc --descriptor_set_out --include_source_info --include_imports` wrote of the public protos
// and google/rpc/error_details.proto. Exits 1 with one line on standard error where something cannot be read, expressed
// or written.
#include <fstream>
#include <iostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.pb.h"
#include "proto/reference/api.h"
#include "proto/reference/markdown.h"
#include "proto/reference/openapi.h"

namespace sightline::reference {
namespace {

absl::Status Write(const char* path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  return file ? absl::OkStatus()
              : absl::UnavailableError(absl::StrCat(path, " cannot be written. Check folder and disk."));
}

absl::Status Run(const char* descriptors, absl::string_view version, const char* openapi, const char* page) {
  std::ifstream file(descriptors, std::ios::binary);
  google::protobuf::FileDescriptorSet files;
  if (!file || !files.ParseFromIstream(&file)) {
    return absl::InvalidArgumentError(absl::StrCat(descriptors, " is not a descriptor set. Make it with protoc."));
  }
  auto api = Api::Read(files, "sightline.v1");
  if (!api.ok()) return api.status();
  auto document = OpenApiDocument(**api, version);
  if (!document.ok()) return document.status();
  if (absl::Status written = Write(openapi, document->dump(1) + "\n"); !written.ok()) return written;
  return Write(page, ReferencePage(**api));
}

}  // namespace
}  // namespace sightline::reference

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: sightline-reference DESCRIPTORS VERSION OPENAPI PAGE\n";
    return 64;
  }
  const absl::Status status = sightline::reference::Run(argv[1], argv[2], argv[3], argv[4]);
  if (status.ok()) return 0;
  std::cerr << "sightline-reference: " << status.message() << "\n";
  return 1;
}
