#include "client/cli/search_page.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/version.h"
#include "client/cli/html.h"
#include "client/cli/json.h"
#include "client/cli/page_pictures.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

void Describe(const Context& context, const std::string& verb, const Args& args,
              const google::protobuf::Message& request, ExplainPage* page) {
  std::vector<std::string> words = {"sightline", verb};
  words.insert(words.end(), args.words().begin(), args.words().end());
  page->command = ShellWords(words);
  page->request = JsonMessage(request);
  page->made = absl::StrCat("Made on ", absl::FormatTime("%Y-%m-%d %H:%M", context.clock.Now(), absl::UTCTimeZone()),
                            " UTC by sightline ", base::Version(), ":");
}

}  // namespace

std::string UntrainedWarning(const v1::ModelUse& model) {
  if (!model.untrained()) return "";
  return absl::StrCat("The model ", model.model(),
                      " is untrained: what it matches shows that the service works, not how well it finds.");
}

void DescribeOrigin(const Context& context, const std::string& verb, const Args& args, v1::SearchRequest request,
                    ExplainPage* page) {
  for (auto& part : *request.mutable_query()->mutable_parts()) {
    if (part.has_image()) part.set_image("");
  }
  Describe(context, verb, args, request, page);
}

void DescribeOrigin(const Context& context, const std::string& verb, const Args& args, v1::ExplainRequest request,
                    ExplainPage* page) {
  for (v1::ExplainImage* image : {request.mutable_query(), request.mutable_result()}) {
    if (image->has_image()) image->set_image("");
  }
  Describe(context, verb, args, request, page);
}

absl::Status WriteSearchPage(Context& context, const Args& args, client::Client& client, const std::string& query_name,
                             const v1::SearchRequest& request, const v1::SearchResponse& response,
                             const std::string& path) {
  PagePictures pictures(client, request.collection());
  ExplainPage page;
  const v1::QueryPart& part = request.query().parts(0);
  if (part.has_image()) {
    page.query = pictures.OfFile(query_name, part.image());
    page.query.crops.assign(part.crops().begin(), part.crops().end());
  } else {
    page.query = pictures.OfId(query_name, {v1::IMAGE_VIEW_ORIGINAL, v1::IMAGE_VIEW_PREVIEW});
  }
  for (const v1::SearchResult& result : response.results()) {
    PageMatch match{.result = pictures.OfId(result.id(), {v1::IMAGE_VIEW_PREVIEW, v1::IMAGE_VIEW_ORIGINAL}),
                    .rank = result.rank(),
                    .rank_before = result.has_rerank_score() ? result.rank_before_rerank() : 0,
                    .score = result.score()};
    if (result.has_evidence()) match.evidence = result.evidence();
    if (result.has_confidence()) match.confidence = result.confidence();
    page.matches.push_back(std::move(match));
  }
  page.model = response.stats().model();
  if (page.model.untrained()) page.warnings.push_back(UntrainedWarning(page.model));
  for (const std::string& reason : response.stats().degraded_reasons()) page.warnings.push_back(reason);
  DescribeOrigin(context, "search", args, request, &page);
  return WriteOutput(context, path, RenderExplainPage(page));
}

}  // namespace sightline::cli
