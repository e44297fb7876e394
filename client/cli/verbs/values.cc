#include "client/cli/values.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

constexpr int64_t kValuesPerPage = 1000;

int RunValues(Context& context, const Args& args) {
  if (args.operands().size() != 2) {
    return Misused(context, "values", "values takes the name of a collection and an attribute's key.");
  }
  int64_t left = args.Int("limit", INT64_MAX);
  if (left <= 0) return Misused(context, "values", absl::StrCat("--limit is ", left, "; it must be above 0."));
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  v1::ListAttributeValuesRequest request;
  request.set_collection(args.operands()[0]);
  request.set_key(args.operands()[1]);
  request.set_filter(args.Text("filter"));
  bool any = false;
  do {
    request.set_page_size(static_cast<int32_t>(std::min(left, kValuesPerPage)));
    const auto page = (*client)->ListAttributeValues(request);
    if (!page.ok()) return Fail(context, args, page.status());
    Table table({{"images", Align::kRight}, {"value"}});
    for (const auto& value : page->values()) {
      if (args.Switch("json")) context.out.Write(absl::StrCat(JsonMessage(value), "\n"));
      table.AddRow({FormatCount(value.count()), ValueText(value.value())});
    }
    if (!args.Switch("json") && !table.empty()) context.out.Write(table.Render(context.style, !any));
    any = any || page->values_size() > 0;
    left -= page->values_size();
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && left > 0 && !context.out.closed());
  if (!any && !args.Switch("json")) context.out.Write("no image has this attribute\n");
  return any ? kOk : kNothingFound;
}

}  // namespace

Command ValuesCommand() {
  return {
      .name = "values",
      .summary = "count the values of an attribute",
      .operands = "COLLECTION KEY",
      .about =
          "Lists the values of one attribute with the number of images that have each, most frequent first. Exit code\n"
          "2 when no image has it.\n\n"
          "  sightline values shop brand\n"
          "  sightline values shop brand --filter 'price < 100' --limit 10\n",
      .flags =
          {{.name = "filter", .value = "FILTER", .help = "only images whose attributes satisfy it"},
           {.name = "limit", .kind = FlagKind::kInt, .value = "N", .help = "at most N values; all when not given"}},
      .run = RunValues};
}

}  // namespace sightline::cli
