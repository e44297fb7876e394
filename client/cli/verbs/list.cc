#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

constexpr int32_t kPageSize = 1000;

void WritePage(Context& context, const v1::ListImagesResponse& page, bool json, bool first) {
  if (json) {
    for (const auto& image : page.images()) context.out.Write(absl::StrCat(JsonMessage(image), "\n"));
    return;
  }
  Table table({{"id"}, {"revision", Align::kRight}, {"updated"}, {"size", Align::kRight}, {"attributes"}});
  for (const auto& image : page.images()) {
    table.AddRow({image.id(), absl::StrCat(image.revision()), TimeText(image.update_time()),
                  image.width() > 0 ? absl::StrCat(image.width(), "x", image.height()) : "-",
                  AttributesText(image.attributes())});
  }
  context.out.Write(table.Render(context.style, first));
}

int RunList(Context& context, const Args& args) {
  if (!args.operands().empty()) return Misused(context, "list", "list takes no operands.");
  const auto collection = CollectionOf(args);
  if (!collection.ok()) return Fail(context, args, collection.status());
  int64_t left = args.Int("limit", INT64_MAX);
  if (left <= 0) return Misused(context, "list", absl::StrCat("--limit is ", left, "; it must be above 0."));
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  v1::ListImagesRequest request;
  request.set_collection(*collection);
  request.set_filter(args.Text("filter"));
  request.set_page_token(args.Text("page_token"));
  bool any = false;
  do {
    request.set_page_size(static_cast<int32_t>(std::min<int64_t>(left, kPageSize)));
    const auto page = (*client)->ListImages(request);
    if (!page.ok()) return Fail(context, args, page.status());
    if (page->images_size() > 0) WritePage(context, *page, args.Switch("json"), !any);
    any = any || page->images_size() > 0;
    left -= page->images_size();
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && left > 0 && !context.out.closed());
  if (!any && !args.Switch("json")) context.out.Write("no images\n");
  if (!request.page_token().empty() && !context.out.closed()) {
    context.err.Write(absl::StrCat("more follow: add --page_token ", Printable(request.page_token()), "\n"));
  }
  return any ? kOk : kNothingFound;
}

}  // namespace

Command ListCommand() {
  return {
      .name = "list",
      .summary = "list the indexed images",
      .operands = "",
      .about =
          "Lists the images in the order they were written. Exit code 2 when there is none.\n\n"
          "  sightline list --collection shop\n"
          "  sightline list --collection shop --filter 'brand = \"acme\"' --json | jq -r .id\n",
      .flags = {CollectionFlag(),
                {.name = "filter", .value = "FILTER", .help = "only images whose attributes satisfy it"},
                {.name = "limit", .kind = FlagKind::kInt, .value = "N", .help = "at most N images; all when not given"},
                {.name = "page_token", .value = "TOKEN", .help = "go on where a listing with --limit ended"}},
      .run = RunList};
}

}  // namespace sightline::cli
