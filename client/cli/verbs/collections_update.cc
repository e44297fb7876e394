#include "client/cli/verbs/collections_update.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

absl::Status Misread(absl::string_view problem) { return base::InvalidArgument("USAGE", problem); }

}  // namespace

absl::StatusOr<v1::UpdateCollectionRequest> ReadUpdate(const Args& args, const std::string& name) {
  using S = v1::CollectionSettings;
  v1::UpdateCollectionRequest request;
  request.set_name(name);
  S* const settings = request.mutable_settings();
  const auto take = [&request](const char* path) { request.mutable_update_mask()->add_paths(path); };
  for (const char* fixed :
       {"model", "embedding_space", "descriptor_dim", "hnsw_m", "hnsw_ef_construction", "ivf_lists"}) {
    if (args.Has(fixed)) {
      return Misread(absl::StrCat("--", fixed,
                                  " is decided when a collection is created. Create another collection "
                                  "with it, and move an alias there."));
    }
  }
  if (args.Has("keep_image")) {
    S::KeepImage kind = S::KEEP_IMAGE_UNSPECIFIED;
    if (!S::KeepImage_Parse(absl::StrCat("KEEP_IMAGE_", absl::AsciiStrToUpper(args.Text("keep_image"))), &kind) ||
        kind == S::KEEP_IMAGE_UNSPECIFIED) {
      return Misread(absl::StrCat("--keep_image is \"", Printable(args.Text("keep_image")),
                                  "\"; it is none, preview or original."));
    }
    settings->set_keep_image(kind);
    take("keep_image");
  }
  if (args.Has("index_kind")) {
    S::IndexKind kind = S::INDEX_KIND_UNSPECIFIED;
    if (!S::IndexKind_Parse(absl::StrCat("INDEX_KIND_", absl::AsciiStrToUpper(args.Text("index_kind"))), &kind) ||
        kind == S::INDEX_KIND_UNSPECIFIED) {
      return Misread(absl::StrCat("--index_kind is \"", Printable(args.Text("index_kind")),
                                  "\"; it is auto, exact, hnsw or ivf."));
    }
    settings->set_index_kind(kind);
    take("index_kind");
  }
  if (args.Has("device")) {
    S::Device device = S::DEVICE_UNSPECIFIED;
    if (!S::Device_Parse(absl::StrCat("DEVICE_", absl::AsciiStrToUpper(args.Text("device"))), &device) ||
        device == S::DEVICE_UNSPECIFIED) {
      return Misread(absl::StrCat("--device is \"", Printable(args.Text("device")), "\"; it is auto or cpu."));
    }
    settings->set_device(device);
    take("device");
  }
  if (args.Switch("drop_tokens") && args.Switch("keep_tokens")) {
    return Misread("--drop_tokens and --keep_tokens are both given. Give one of them.");
  }
  if (args.Switch("drop_tokens") || args.Switch("keep_tokens")) {
    settings->set_drop_tokens(args.Switch("drop_tokens"));
    take("drop_tokens");
  }
  if (args.Has("description")) {
    settings->set_description(args.Text("description"));
    take("description");
  }
  if (request.update_mask().paths().empty()) {
    return Misread(
        "there is nothing to change. Give --keep_image, --index_kind, --device, --drop_tokens, --keep_tokens or "
        "--description.");
  }
  return request;
}

}  // namespace sightline::cli
