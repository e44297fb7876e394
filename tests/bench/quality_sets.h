// The sets that `sightline-bench quality` asks about: pictures and what is right, wrong and junk for every query.
//
// Threading: pure functions. Ownership: values. Failure: Status that names the file and the line.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const QualitySet set, LandmarkSet("landmarks", "made/landmarks_7001"));
//   for (const QualitySplit& split : set.splits) Judge(split.relevance, rankings, set.precision);
#ifndef SIGHTLINE_TESTS_BENCH_QUALITY_SETS_H_
#define SIGHTLINE_TESTS_BENCH_QUALITY_SETS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/labelled_pictures.h"
#include "tests/bench/ranking.h"

namespace sightline::bench {

// One reading of the ground truth.
struct QualitySplit {
  std::string name;  // empty where a set has but one
  Relevance relevance;
};

struct QualitySet {
  std::string name;
  LabelledFiles files;
  Precision precision = Precision::kPlain;
  std::vector<QualitySplit> splits;
};

// The photographs of FOLDER/grocery: every other photograph of the product is right.
absl::StatusOr<QualitySet> GrocerySet(const std::string& folder, int products);

// A folder of `sightline-train landmarks`: Easy, Medium and Hard as in the revisited protocol (METHODS.md 6.2), queries
// cut to their boxes.
absl::StatusOr<QualitySet> LandmarkSet(const std::string& name, const std::string& folder);

// The same set with `count` of its queries, at least 1 and no more than there are, drawn without looking; the same ones
// for a seed.
QualitySet DrawQueries(const QualitySet& set, size_t count, uint64_t seed);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_QUALITY_SETS_H_
