#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/weights/safetensors.h"
#include "model/weights/strict_json.h"

namespace sightline::weights {
namespace {

absl::Status Unwritable(absl::string_view name, absl::string_view problem) {
  return base::InvalidArgument(
      "UNWRITABLE_TENSOR",
      absl::StrCat("tensor ", Quoted(name), " ", problem, ". Give every tensor its own name and all its values."));
}

}  // namespace

absl::StatusOr<std::string> SerializeSafetensors(absl::Span<const TensorView> tensors,
                                                 const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t offset = 0;
  for (const TensorView& tensor : tensors) {
    if (tensor.name.empty() || header.contains(tensor.name))
      return Unwritable(tensor.name, "has an empty or used name");
    int64_t bytes = DTypeBytes(tensor.dtype);
    for (const int64_t side : tensor.shape) {
      if (side < 0 || __builtin_mul_overflow(bytes, side, &bytes)) return Unwritable(tensor.name, "has no valid shape");
    }
    if (static_cast<int64_t>(tensor.bytes.size()) != bytes) {
      return Unwritable(tensor.name, absl::StrCat("has ", tensor.bytes.size(), " bytes where its shape needs ", bytes));
    }
    header[tensor.name] = {{"dtype", std::string(DTypeName(tensor.dtype))},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // values start aligned for readers that map the file

  std::string file;
  file.reserve(8 + text.size() + offset);
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<char>((text.size() >> (8 * i)) & 0xff));
  file += text;
  for (const TensorView& tensor : tensors) file.append(tensor.bytes.data(), tensor.bytes.size());
  return file;
}

}  // namespace sightline::weights
