#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/json.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

// The API's limit on ids in one call.
constexpr size_t kIdsPerCall = 10'000;

int RunDelete(Context& context, const Args& args) {
  const auto& ids = args.operands();
  if (ids.empty() != args.Has("filter"))
    return Misused(context, "delete", "delete takes ids or --filter, one of them.");
  const auto collection = CollectionOf(args);
  if (!collection.ok()) return Fail(context, args, collection.status());
  if (args.Has("filter") && !args.Switch("yes") && context.confirm &&
      !context.confirm(absl::StrCat("Delete every image of \"", Printable(*collection), "\" that satisfies ",
                                    Printable(args.Text("filter")), " for good?"))) {
    context.err.Write("nothing was deleted\n");
    return kNothingFound;
  }
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  int64_t deleted = 0;
  int64_t not_found = 0;
  size_t begin = 0;
  do {
    v1::DeleteImagesRequest request;
    request.set_collection(*collection);
    request.set_filter(args.Text("filter"));
    const size_t end = std::min(ids.size(), begin + kIdsPerCall);
    request.mutable_ids()->Add(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                               ids.begin() + static_cast<std::ptrdiff_t>(end));
    const auto response = (*client)->DeleteImages(request);
    if (!response.ok()) return Fail(context, args, response.status());
    deleted += response->deleted();
    not_found += response->not_found();
    begin = end;
  } while (begin < ids.size());
  if (args.Switch("json")) {
    context.out.Write(absl::StrCat(JsonObject().Int("deleted", deleted).Int("not_found", not_found).Done(), "\n"));
  } else {
    context.out.Write(absl::StrCat("deleted ", Plural(deleted, "image"),
                                   not_found > 0 ? absl::StrCat("; ", FormatCount(not_found), " not found") : "",
                                   "\n"));
  }
  return deleted > 0 ? kOk : kNothingFound;
}

}  // namespace

Command DeleteCommand() {
  return {.name = "delete",
          .summary = "delete images by id or by filter",
          .operands = "ID... | --filter FILTER",
          .about =
              "Deletes images for good. Ids that do not exist are counted. Exit code 2 when nothing was deleted.\n\n"
              "  sightline delete shoes/17.jpg shoes/18.jpg --collection shop\n"
              "  sightline delete --filter 'season = \"2024\"' --collection shop        asks first on a terminal\n"
              "  sightline delete --filter 'season = \"2024\"' --collection shop --yes\n",
          .flags = {CollectionFlag(),
                    {.name = "filter", .value = "FILTER", .help = "every image whose attributes satisfy it"},
                    {.name = "yes", .short_name = 'y', .kind = FlagKind::kSwitch, .help = "do not ask, with --filter"}},
          .run = RunDelete};
}

}  // namespace sightline::cli
