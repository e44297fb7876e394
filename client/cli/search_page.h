// The page of a search: the query beside each of its best results, with the evidence.
//
// Threading: one thread at a time. Failure: that of writing the file; pictures that cannot be had are grey fields.
#ifndef SIGHTLINE_CLIENT_CLI_SEARCH_PAGE_H_
#define SIGHTLINE_CLIENT_CLI_SEARCH_PAGE_H_

#include <string>

#include "absl/status/status.h"
#include "client/cli/command.h"
#include "client/cli/explain_page.h"

namespace sightline::cli {

// What every page says of how it was made. `verb` and its words become the command; image bytes are left out of
// `request`.
void DescribeOrigin(const Context& context, const std::string& verb, const Args& args, v1::SearchRequest request,
                    ExplainPage* page);
void DescribeOrigin(const Context& context, const std::string& verb, const Args& args, v1::ExplainRequest request,
                    ExplainPage* page);

// "The model tiny is untrained: ..."; empty for a trained one.
std::string UntrainedWarning(const v1::ModelUse& model);

// Writes the page of `response` to `path` ("-" is standard output). `query_name` is the query's file or id.
absl::Status WriteSearchPage(Context& context, const Args& args, client::Client& client, const std::string& query_name,
                             const v1::SearchRequest& request, const v1::SearchResponse& response,
                             const std::string& path);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_SEARCH_PAGE_H_
