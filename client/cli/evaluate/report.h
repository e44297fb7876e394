// EvalReport: what an evaluation found, as a table, as JSON, and as a page.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_REPORT_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/cli/evaluate/benchmark.h"
#include "client/cli/evaluate/score.h"
#include "client/cli/evaluate/thresholds.h"
#include "client/cli/explain_page.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::cli {

struct EvalRunReport {
  std::string name = {};
  std::string settings = {};  // the request as JSON; empty for a rankings file
  std::vector<SplitScore> splits = {};
  std::map<std::string, double> milliseconds = {};  // by stage
};

struct EvalReport {
  std::string title = {};         // of the benchmark
  std::string ground_truth = {};  // its file
  std::string source = {};        // the rankings file, or the collection
  int64_t images = 0;             // in the database; 0 where not known
  int64_t distractors = 0;
  v1::ModelUse model = {};
  std::string index = {};   // "exact"
  std::string scales = {};  // "1, 0.7071", as the model embeds
  std::vector<std::string> split_names = {};
  std::vector<BenchMeasure> measures = {};
  std::vector<EvalRunReport> runs = {};
  Thresholds thresholds = {};           // of the first run
  std::vector<std::string> notes = {};  // sentences
  std::string command = {};
  std::string made = {};
};

// A value of `measure` as people read it: a share in percent.
std::string ShownValue(const BenchMeasure& measure, double value);
// The mean over a split; "-" where no query counts.
std::string ShownMean(const BenchMeasure& measure, const SplitScore& score, size_t m);
// The table of thresholds: what stands above its columns, and its rows. Both empty where there is none.
std::vector<std::string> ThresholdTitles(const Thresholds& thresholds);
std::vector<std::vector<std::string>> ThresholdRows(const Thresholds& thresholds);

std::string EvalTable(const EvalReport& report);
std::string EvalJson(const EvalReport& report);

// A result as the page shows it.
struct EvalPicture {
  PagePicture picture = {};
  int64_t rank = 0;  // 0 for the query
};

struct EvalFailure {
  std::string query = {};
  std::string box = {};  // "136.5, 34.1, 648.5, 955.7"; empty for the whole picture
  PagePicture picture = {};
  double value = 0;  // of the first measure
  int64_t positives = 0;
  int64_t found = 0;
  std::vector<EvalPicture> wrong = {};
  std::vector<EvalPicture> right = {};
};

// One file that needs nothing else: the table, how it was made, and `failures`, worst first.
std::string EvalPage(const EvalReport& report, const std::vector<EvalFailure>& failures);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_REPORT_H_
