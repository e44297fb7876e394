// Benchmark: what a benchmark asks and which answers are right, whatever files it is published as.
//
// Every protocol is the same in shape: images, queries, for each query a grade of some images, splits that say which
// grades count as right and which are taken out of the ranking, and measures. Images without a grade are wrong.
//
// Threading: values. Failure: a reader of ground truth returns INVALID_ARGUMENT with reason INVALID_GROUND_TRUTH and
// the file's name.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_BENCHMARK_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_BENCHMARK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sightline::cli {

enum class Grade : uint8_t { kEasy = 1, kHard = 2, kJunk = 4, kSelf = 8 };  // bits of a split's sets

struct Judged {
  int32_t image = 0;  // index into Benchmark::images
  Grade grade = Grade::kEasy;
};

// In pixels of the picture.
struct QueryBox {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

struct BenchQuery {
  std::string name = {};     // what rankings files and reports call it
  std::string picture = {};  // named as images are
  std::optional<QueryBox> box = std::nullopt;
  std::vector<Judged> judged = {};  // ascending by image, each image once
  std::string part = {};            // for splits that take some of the queries
  int32_t group = 0;                // images of other groups are not in its database
};

struct BenchSplit {
  std::string name = {};
  unsigned right = 0;     // grades
  unsigned ignored = 0;   // grades
  std::string part = {};  // only queries of this part; empty for all
};

struct BenchMeasure {
  std::string name = {};
  // Zero-based ranks of the right images in the ranking, and how many right images there are, at least 1.
  std::function<double(absl::Span<const int64_t> ranks, int64_t positives)> of = nullptr;
  bool share = true;  // of 1: shown in percent
};

struct Benchmark {
  std::string title = {};
  std::vector<std::string> images = {};
  std::vector<int32_t> groups = {};  // of the images; empty where there is one group
  // Names are file names without folder and extension, and files are found by these; otherwise names are paths.
  bool by_stem = false;
  // Every other picture of the folder is in the database too, and wrong.
  bool open = false;
  std::vector<BenchQuery> queries = {};
  std::vector<BenchSplit> splits = {};
  std::vector<BenchMeasure> measures = {};  // the first one tells which queries went wrong
  size_t main_split = 0;
  int64_t depth = 0;  // results that the measures look at, without ignored ones; 0 for the whole ranking
};

constexpr unsigned operator|(Grade a, Grade b) { return static_cast<unsigned>(a) | static_cast<unsigned>(b); }
constexpr unsigned operator|(unsigned a, Grade b) { return a | static_cast<unsigned>(b); }
constexpr bool Holds(unsigned grades, Grade grade) { return (grades & static_cast<unsigned>(grade)) != 0; }

// Which image a file or an id is.
class ImageNames {
 public:
  explicit ImageNames(const Benchmark& benchmark);
  // -1 for none.
  int32_t Find(absl::string_view id) const;

 private:
  const bool by_stem_;
  std::map<std::string, int32_t, std::less<>> images_;
};

// "index/4/a/4a01.jpg" -> "4a01".
absl::string_view Stem(absl::string_view path);

// Sorts `judged`; of an image judged more than once the first grade in the order self, easy, hard, junk stays.
void SortJudged(std::vector<Judged>* judged);

// "FILE: `problem`", where `problem` is a sentence that says what is wrong and one that says what to do.
absl::Status BadGroundTruth(absl::string_view file, absl::string_view problem);

// The measures of the revisited protocol: mAP by trapezoids, mP@1, mP@5, mP@10.
std::vector<BenchMeasure> RevisitedMeasures();
// Easy, Medium and Hard; the main one is Medium.
void SetRevisitedSplits(Benchmark* benchmark);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_BENCHMARK_H_
