#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "client/cli/json.h"
#include "client/cli/text.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

const std::map<std::string, v1::ImageView>& Views() {
  static const auto* const views = new std::map<std::string, v1::ImageView>{{"metadata", v1::IMAGE_VIEW_METADATA},
                                                                            {"preview", v1::IMAGE_VIEW_PREVIEW},
                                                                            {"original", v1::IMAGE_VIEW_ORIGINAL},
                                                                            {"vectors", v1::IMAGE_VIEW_VECTORS}};
  return *views;
}

// What follows the shape of tokens that are not int8.
std::string PrecisionText(v1::PatchTokens::Precision precision) {
  switch (precision) {
    case v1::PatchTokens::PRECISION_FLOAT16: return ", float16";
    case v1::PatchTokens::PRECISION_FLOAT32: return ", float32";
    default: return "";
  }
}

std::string Describe(const v1::ImageRecord& image) {
  std::string out;
  const auto add = [&](absl::string_view name, absl::string_view value) {
    if (!value.empty()) absl::StrAppendFormat(&out, "%-12s %s\n", name, Printable(value));
  };
  add("id", image.id());
  add("revision", absl::StrCat(image.revision()));
  add("created", TimeText(image.create_time()));
  add("updated", TimeText(image.update_time()));
  add("size", image.width() > 0 ? absl::StrCat(image.width(), " x ", image.height()) : "");
  add("sha256", image.sha256());
  add("source_uri", image.source_uri());
  add("attributes", AttributesText(image.attributes()));
  if (!image.image().empty()) {
    add("image", absl::StrCat(image.image_mime_type(), ", ", FormatBytes(static_cast<int64_t>(image.image().size()))));
  }
  if (image.has_global_descriptor()) {
    add("descriptor", absl::StrCat(image.global_descriptor().values_size(), " values, space ",
                                   image.global_descriptor().embedding_space()));
  }
  if (image.has_tokens()) {
    add("tokens", absl::StrCat(image.tokens().height(), " x ", image.tokens().width(), " x ", image.tokens().dim(),
                               PrecisionText(image.tokens().precision())));
  }
  return out;
}

int RunGet(Context& context, const Args& args) {
  if (args.operands().size() != 1) return Misused(context, "get", "get takes one id.");
  // With --output the image itself is wanted: the original where nothing else is said.
  const std::string view = args.Text("view", args.Has("output") ? "original" : "metadata");
  if (!Views().contains(view)) {
    return Misused(context, "get",
                   absl::StrCat("--view is \"", Printable(view), "\"; it is metadata, preview, original or vectors."));
  }
  v1::GetImageRequest request;
  const auto collection = CollectionOf(args);
  if (!collection.ok()) return Fail(context, args, collection.status());
  request.set_collection(*collection);
  request.set_id(args.operands()[0]);
  request.set_view(Views().at(view));
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  const auto image = (*client)->GetImage(request);
  if (!image.ok()) return Fail(context, args, image.status());
  if (args.Has("output")) {
    if (image->image().empty()) {
      return Fail(context, args,
                  base::NotFound(
                      "NO_IMAGE_KEPT",
                      absl::StrCat("the collection keeps no ", view, " of \"", Printable(image->id()),
                                   "\". Ask for another --view, or index it again into a collection that keeps it.")));
    }
    const absl::Status written = WriteOutput(context, args.Text("output"), image->image());
    if (!written.ok()) return Fail(context, args, written);
    if (args.Text("output") == "-") return kOk;
  }
  context.out.Write(args.Switch("json") ? absl::StrCat(JsonMessage(*image), "\n") : Describe(*image));
  return kOk;
}

}  // namespace

Command GetCommand() {
  return {.name = "get",
          .summary = "show one indexed image",
          .operands = "ID",
          .about =
              "Prints what is stored of an image. Exit code 2 when there is no image with this id.\n\n"
              "  sightline get shoes/17.jpg --collection shop\n"
              "  sightline get shoes/17.jpg --collection shop --view preview --output preview.jpg\n"
              "  sightline get shoes/17.jpg --collection shop --view vectors --json\n",
          .flags = {CollectionFlag(),
                    {.name = "view",
                     .value = "VIEW",
                     .help = "metadata (default), preview, original or vectors",
                     .choices = {"metadata", "preview", "original", "vectors"}},
                    {.name = "output",
                     .short_name = 'o',
                     .value = "FILE",
                     .help = "write the preview or original there; - is standard output"}},
          .run = RunGet};
}

}  // namespace sightline::cli
