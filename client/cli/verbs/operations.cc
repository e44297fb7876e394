#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/follow.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

constexpr int64_t kOperationsPerPage = 1000;

std::string OperationsTable(const std::vector<v1::Operation>& operations, TableStyle style) {
  Table table({{"operation"}, {"kind"}, {"collection"}, {"state"}, {"progress"}, {"started"}, {"ended"}, {"error"}});
  for (const auto& operation : operations) {
    const bool expected = operation.has_estimated_end_time();
    table.AddRow(
        {operation.name(), operation.kind(), operation.collection(), StateText(operation), ProgressText(operation),
         TimeText(operation.create_time()),
         expected ? absl::StrCat("about ", TimeText(operation.estimated_end_time())) : TimeText(operation.end_time()),
         operation.error().message()});
  }
  return table.Render(style);
}

int ListAll(Context& context, const Args& args, client::Client& client) {
  int64_t left = args.Int("limit", INT64_MAX);
  if (left <= 0) return Misused(context, "operations", absl::StrCat("--limit is ", left, "; it must be above 0."));
  std::vector<v1::Operation> operations;
  v1::ListOperationsRequest request;
  request.set_collection(args.Text("collection"));
  do {
    request.set_page_size(static_cast<int32_t>(std::min(left, kOperationsPerPage)));
    const auto page = client.ListOperations(request);
    if (!page.ok()) return Fail(context, args, page.status());
    operations.insert(operations.end(), page->operations().begin(), page->operations().end());
    left -= page->operations_size();
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && left > 0);
  if (args.Switch("json")) {
    for (const auto& operation : operations) context.out.Write(absl::StrCat(JsonMessage(operation), "\n"));
  } else {
    context.out.Write(operations.empty() ? "no operations\n" : OperationsTable(operations, context.style));
  }
  return kOk;
}

int RunOperations(Context& context, const Args& args) {
  const auto& words = args.operands();
  const std::string action = words.empty() ? "list" : words[0];
  const std::vector<std::string> actions = {"list", "get", "cancel"};
  if (std::find(actions.begin(), actions.end(), action) == actions.end()) {
    const std::string near = Closest(action, actions);
    return Misused(context, "operations",
                   absl::StrCat("unknown action \"", Printable(action), "\".",
                                near.empty() ? "" : absl::StrCat(" Did you mean ", near, "?")));
  }
  if (words.size() != (action == "list" ? words.empty() ? 0u : 1u : 2u)) {
    return Misused(context, "operations",
                   absl::StrCat("operations ", action, " takes ", action == "list" ? "no name." : "one name."));
  }
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  if (action == "list") return ListAll(context, args, **client);
  const std::string name = absl::StrContains(words[1], '/') ? words[1] : absl::StrCat("operations/", words[1]);
  const auto operation = action == "get" ? (*client)->GetOperation(name) : (*client)->CancelOperation(name);
  if (!operation.ok()) return Fail(context, args, operation.status());
  context.out.Write(args.Switch("json") ? absl::StrCat(JsonMessage(*operation), "\n")
                                        : OperationsTable({*operation}, context.style));
  return kOk;
}

}  // namespace

Command OperationsCommand() {
  return {
      .name = "operations",
      .summary = "list, show and cancel long work",
      .operands = "[list | get NAME | cancel NAME]",
      .about =
          "Long work, such as optimize, runs on the server and is listed here, newest first. The last 1,000 that have\n"
          "ended are kept, for at most 7 days. A bare number stands for one: 17 is operations/17.\n\n"
          "  sightline operations\n"
          "  sightline operations get operations/17\n"
          "  sightline operations cancel operations/17\n",
      .flags = {CollectionFlag(),
                {.name = "limit", .kind = FlagKind::kInt, .value = "N", .help = "list: at most N; all when not given"}},
      .run = RunOperations,
      .actions = {"list", "get", "cancel"},
      .aliases = {"operation"}};
}

}  // namespace sightline::cli
