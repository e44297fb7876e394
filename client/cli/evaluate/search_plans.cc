#include "client/cli/evaluate/search_plans.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cli/expand_flags.h"
#include "client/cli/rerank_flags.h"

namespace sightline::cli {
namespace {

absl::Status PlanUsage(absl::string_view flag, absl::string_view problem) {
  return base::InvalidArgument("USAGE", problem, {{"argument", std::string(flag)}});
}

}  // namespace

absl::StatusOr<std::vector<SearchPlan>> PlanSearches(const Args& args, const Benchmark& benchmark) {
  SIGHTLINE_ASSIGN_OR_RETURN(const v1::RerankOptions rerank, RerankOf(args));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<v1::QueryExpansion> expansion, ExpansionOf(args));
  v1::SearchRequest base;
  base.set_exact(args.Switch("exact"));
  if (args.Has("ef_search")) base.set_ef_search(args.Int32("ef_search", 0));
  if (args.Has("nprobe")) base.set_nprobe(args.Int32("nprobe", 0));
  const bool reranks = rerank.method() == v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT;
  bool says_rerank = false;
  for (const FlagSpec& flag : RerankFlags()) says_rerank = says_rerank || args.Has(flag.name);
  const int64_t shortlist = rerank.shortlist() > 0 ? rerank.shortlist() : kDefaultShortlist;
  if (args.Has("shortlist") && (rerank.shortlist() < 1 || rerank.shortlist() > kMostShortlist)) {
    return PlanUsage("shortlist", absl::StrCat("--shortlist is ", args.Int("shortlist", 0), "; it must be 1 to ",
                                               kMostShortlist, ". Correct it."));
  }
  int64_t depth = benchmark.depth;
  if (args.Has("depth")) {
    depth = args.Int("depth", 0);
    if (depth < 1 || depth > kMostResults) {
      return PlanUsage("depth",
                       absl::StrCat("--depth is ", depth, "; it must be 1 to ", kMostResults, ". Correct it."));
    }
  }
  const auto plan = [&](const std::string& name, bool reranked, bool expanded) {
    SearchPlan made{.name = name, .request = base, .depth = depth};
    made.request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OFF);
    if (reranked) {
      *made.request.mutable_rerank() = rerank;
      made.request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
    }
    if (expanded && expansion) *made.request.mutable_expansion() = *expansion;
    if (expanded && !expansion) made.request.mutable_expansion()->set_method(v1::QueryExpansion::METHOD_AVERAGE);
    // After a refinement the order before the transport is not known: ignored images leave afterwards.
    if (!expanded) made.shortlist = shortlist;
    return made;
  };
  if (args.Switch("compare")) {
    return std::vector<SearchPlan>{plan("plain", false, false), plan("re-ranked", true, false),
                                   plan("expanded", false, true), plan("expanded, re-ranked", true, true)};
  }
  const bool expands = expansion.has_value();
  SearchPlan only = plan(reranks && expands ? "expanded, re-ranked"
                         : reranks          ? "re-ranked"
                         : expands          ? "expanded"
                                            : "search",
                         reranks, expands);
  if (!says_rerank) {
    only.request.clear_rerank();  // as the model has it
  } else if (!reranks) {
    *only.request.mutable_rerank() = rerank;
  }
  return std::vector<SearchPlan>{std::move(only)};
}

}  // namespace sightline::cli
