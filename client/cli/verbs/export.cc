#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cli/byte_progress.h"
#include "client/cli/export_file.h"
#include "client/cli/json.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

constexpr int32_t kExportPageSize = 1000;

absl::Status ExportTo(Context& context, const Args& args, client::Client& client, const v1::Collection& collection,
                      ExportFile* file) {
  v1::ListImagesRequest request;
  request.set_collection(collection.name());
  request.set_filter(args.Text("filter"));
  request.set_page_size(kExportPageSize);
  request.set_view(v1::IMAGE_VIEW_VECTORS);
  ByteProgress progress(context, "exporting");
  do {
    if (context.interrupted && context.interrupted()) {
      return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                         "the export was interrupted, and no file was written. Run the same command again.");
    }
    SIGHTLINE_ASSIGN_OR_RETURN(const auto page, client.ListImages(request));
    for (const v1::ImageRecord& image : page.images()) SIGHTLINE_RETURN_IF_ERROR(file->Add(image));
    if (file->images() > 0) {
      const int64_t images = std::max(collection.stats().images(), file->images());
      progress.Update(file->bytes(),
                      static_cast<int64_t>(static_cast<double>(file->bytes()) * static_cast<double>(images) /
                                           static_cast<double>(file->images())));
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return file->Finish();
}

int RunExport(Context& context, const Args& args) {
  if (args.operands().size() != 2) {
    return Misused(context, "export", "export takes the name of a collection and a file to write.");
  }
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  const auto collection = (*client)->GetCollection(args.operands()[0]);
  if (!collection.ok()) return Fail(context, args, collection.status());
  const auto file = ExportFile::Create(args.operands()[1], *collection, !args.Switch("no_tokens"));
  if (!file.ok()) return Fail(context, args, file.status());
  const absl::Status exported = ExportTo(context, args, **client, *collection, file->get());
  if (!exported.ok()) {
    const int code = Fail(context, args, exported);
    return exported.code() == absl::StatusCode::kCancelled ? kInterrupted : code;
  }
  if (args.Switch("json")) {
    context.out.Write(absl::StrCat(JsonObject()
                                       .Text("exported", collection->name())
                                       .Text("file", args.operands()[1])
                                       .Int("images", (*file)->images())
                                       .Int("bytes", (*file)->bytes())
                                       .Done(),
                                   "\n"));
  } else {
    context.out.Write(absl::StrCat("exported ", Plural((*file)->images(), "image"), " of ",
                                   Printable(collection->name()), " to ", Printable(args.operands()[1]), ", ",
                                   FormatBytes((*file)->bytes()), "\n"));
  }
  return kOk;
}

}  // namespace

Command ExportCommand() {
  return {.name = "export",
          .summary = "write ids, attributes, descriptors and patch tokens to a file",
          .operands = "COLLECTION FILE",
          .about =
              "Writes one safetensors file (docs/formats.md), which Python reads with safetensors.numpy.load_file and\n"
              "\"sightline-train whiten\" takes as it is. Images written while it runs may or may not be in it.\n\n"
              "  sightline export shop shop.safetensors\n"
              "  sightline export shop red.safetensors --filter 'colour = \"red\"' --no_tokens\n",
          .flags = {{.name = "filter", .value = "FILTER", .help = "only images that satisfy it (docs/filters.md)"},
                    {.name = "no_tokens", .kind = FlagKind::kSwitch, .help = "leave the patch tokens out"}},
          .run = RunExport};
}

}  // namespace sightline::cli
