// Which queries went wrong, and the pictures that show it.
//
// Threading: pure functions, but for the server's pictures. Failure: in PagePicture::missing.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_FAILURES_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_FAILURES_H_

#include <functional>
#include <string>
#include <vector>

#include "client/cli/evaluate/report.h"

namespace sightline::cli {

// Where pictures come from; either may be null.
struct FailurePictures {
  std::function<PagePicture(const std::string& name, const std::string& path)> of_file = nullptr;
  std::function<PagePicture(const std::string& id)> of_result = nullptr;
};

// The counted queries of the main split that are below 1 by the first measure (below its best, 4, for N-S), worst
// first, at most `most`. `pictures` are the queries' files, or empty.
std::vector<EvalFailure> WorstQueries(const Benchmark& benchmark, const std::vector<QueryOutcome>& outcomes,
                                      const std::vector<std::string>& pictures, const FailurePictures& sources,
                                      size_t most);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_FAILURES_H_
