#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"
#include "client/cli/evidence_text.h"
#include "client/cli/json.h"
#include "client/cli/page_pictures.h"
#include "client/cli/rerank_flags.h"
#include "client/cli/search_page.h"
#include "client/cli/text.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

constexpr absl::string_view kIdPrefix = "id:";
// A page has a slider for how many are shown; text has not.
constexpr int32_t kPageCorrespondences = 40;

bool IsId(const std::string& operand) { return absl::StartsWith(operand, kIdPrefix); }

std::string IdOf(const std::string& operand) { return std::string(absl::StripPrefix(operand, kIdPrefix)); }

absl::Status PutImage(const Args& args, const std::string& operand, const std::string& crop_flag,
                      int64_t max_image_bytes, v1::ExplainImage* image) {
  if (IsId(operand)) {
    if (args.Has(crop_flag)) {
      return base::InvalidArgument("USAGE",
                                   absl::StrCat("--", crop_flag, " goes with an image file, and \"", Printable(operand),
                                                "\" is an id: an indexed image is matched as it was indexed."),
                                   {{"argument", crop_flag}});
    }
    image->set_id(IdOf(operand));
    return absl::OkStatus();
  }
  if (args.Has(crop_flag)) {
    SIGHTLINE_ASSIGN_OR_RETURN(const CropArgument crop,
                               ParseCrop(crop_flag, args.Text(crop_flag), args.Text("crop_unit")));
    image->mutable_crop()->set_x0(crop.x0);
    image->mutable_crop()->set_y0(crop.y0);
    image->mutable_crop()->set_x1(crop.x1);
    image->mutable_crop()->set_y1(crop.y1);
    image->mutable_crop()->set_unit(crop.unit);
  }
  SIGHTLINE_ASSIGN_OR_RETURN(*image->mutable_image(), base::ReadFile(operand, max_image_bytes));
  return absl::OkStatus();
}

absl::StatusOr<v1::ExplainRequest> BuildExplainRequest(const Args& args, int64_t max_image_bytes) {
  v1::ExplainRequest request;
  const auto& operands = args.operands();
  request.set_collection(args.Text("collection"));
  if (IsId(operands[0]) || IsId(operands[1])) {
    SIGHTLINE_ASSIGN_OR_RETURN(*request.mutable_collection(), CollectionOf(args));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(*request.mutable_rerank(), RerankOf(args));
  SIGHTLINE_RETURN_IF_ERROR(PutImage(args, operands[0], "crop", max_image_bytes, request.mutable_query()));
  SIGHTLINE_RETURN_IF_ERROR(PutImage(args, operands[1], "crop_b", max_image_bytes, request.mutable_result()));
  request.mutable_options()->set_enabled(true);
  request.mutable_options()->set_correspondences(
      args.Int32("correspondences", args.Has("html") ? kPageCorrespondences : 0));
  request.mutable_options()->set_heat_maps(args.Has("html") || args.Switch("json"));
  return request;
}

PagePicture PictureOf(PagePictures& pictures, const std::string& operand, const v1::ExplainImage& image) {
  if (!image.has_image()) return pictures.OfId(image.id(), {v1::IMAGE_VIEW_ORIGINAL, v1::IMAGE_VIEW_PREVIEW});
  PagePicture picture = pictures.OfFile(operand, image.image());
  if (image.has_crop()) picture.crops = {image.crop()};
  return picture;
}

absl::Status WriteExplainPage(Context& context, const Args& args, client::Client& client,
                              const v1::ExplainRequest& request, const v1::ExplainResponse& response) {
  PagePictures pictures(client, request.collection());
  ExplainPage page;
  page.query = PictureOf(pictures, args.operands()[0], request.query());
  page.matches = {{.result = PictureOf(pictures, args.operands()[1], request.result()),
                   .evidence = response.evidence(),
                   .score = response.evidence().score()}};
  page.model = response.model();
  if (page.model.untrained()) page.warnings.push_back(UntrainedWarning(page.model));
  DescribeOrigin(context, "explain", args, request, &page);
  return WriteOutput(context, args.Text("html"), RenderExplainPage(page));
}

int RunExplain(Context& context, const Args& args) {
  if (args.operands().size() != 2) {
    return Misused(context, "explain", "explain takes two images: files, or ids with \"id:\" in front.");
  }
  for (const std::string& operand : args.operands()) {
    if (operand == kIdPrefix) return Misused(context, "explain", "\"id:\" has no id behind it.");
  }
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  int64_t max_image_bytes = (*client)->options().max_image_bytes;
  const auto info = (*client)->GetServerInfo();
  if (!info.ok()) return Fail(context, args, info.status());
  if (info->limits().max_image_bytes() > 0) max_image_bytes = info->limits().max_image_bytes();
  const auto request = BuildExplainRequest(args, max_image_bytes);
  if (!request.ok()) return Fail(context, args, request.status());
  const auto response = (*client)->Explain(*request);
  if (!response.ok()) return Fail(context, args, response.status());
  if (args.Has("html")) {
    const absl::Status written = WriteExplainPage(context, args, **client, *request, *response);
    if (!written.ok()) return Fail(context, args, written);
    if (args.Text("html") == "-") return kOk;
  }
  if (args.Switch("json")) {
    context.out.Write(absl::StrCat(JsonMessage(*response), "\n"));
    return kOk;
  }
  if (response->model().untrained()) {
    context.err.Write(absl::StrCat("WARNING: ", Printable(UntrainedWarning(response->model())), "\n"));
  }
  const v1::Evidence& evidence = response->evidence();
  context.out.Write(args.Has("html") ? SummaryText(evidence)
                                     : EvidenceText(evidence, args.operands()[0], args.operands()[1]));
  if (args.Has("html")) context.err.Write(absl::StrCat("wrote ", Printable(args.Text("html")), "\n"));
  return kOk;
}

}  // namespace

Command ExplainCommand() {
  Command command{
      .name = "explain",
      .summary = "show which patches of two images match, and how surely they show the same object",
      .operands = "A B",
      .about =
          "A and B are image files, or indexed images with \"id:\" in front (./id:x is a file of that name). Prints "
          "the\n"
          "parts of the score and the strongest pairs of patches; with --html one page with both pictures, lines\n"
          "between the patches that match, and heat-maps. Two files are embedded by the server's default model, or by\n"
          "that of --collection.\n\n"
          "  sightline explain shoe.jpg other.jpg --html why.html\n"
          "  sightline explain shoe.jpg id:shoes/17.jpg --collection shop\n"
          "  sightline explain room.jpg id:lamps/3.jpg -c shop --crop 120,80,400,360 --mass 0.6 --html why.html\n",
      .flags = {CollectionFlag(),
                {.name = "html", .value = "FILE", .help = "write one self-contained page there; - is standard output"},
                {.name = "correspondences",
                 .kind = FlagKind::kInt,
                 .value = "N",
                 .help = "pairs of patches, at most 200; 10 when not given, 40 with --html"},
                {.name = "crop", .value = "X0,Y0,X1,Y1", .help = "look only at this box of A"},
                {.name = "crop_b", .value = "X0,Y0,X1,Y1", .help = "look only at this box of B"},
                {.name = "crop_unit",
                 .value = "UNIT",
                 .help = "fraction or pixel; else fraction when no number of the box is above 1"}},
      .run = RunExplain};
  for (FlagSpec& flag : TransportFlags()) command.flags.push_back(std::move(flag));
  return command;
}

}  // namespace sightline::cli
