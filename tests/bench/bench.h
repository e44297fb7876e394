// The benches of sightline-bench. Each prints JSON lines and returns the exit status.
#ifndef SIGHTLINE_TESTS_BENCH_BENCH_H_
#define SIGHTLINE_TESTS_BENCH_BENCH_H_

#include <cstdint>
#include <string>
#include <vector>

namespace sightline::bench {

// `quick` keeps a bench under a minute and proves only the small case.
// Only where LibTorch is built in.
int RunEmbed(bool quick);
int RunRerankQuality(bool quick);
int RunTrain(bool quick);
// `only`: one of its parts; empty for all.
int RunServerLoad(bool quick, const std::string& only);
// `arguments`: those behind the bench's name, as kQualityUsage says.
int RunQuality(const std::vector<std::string>& arguments);
int RunZoo(bool quick);
int RunDecode(bool quick);
int RunExact(bool quick);
int RunRerank(bool quick);
// `rows` 0 means the default.
int RunIngest(bool quick, int64_t rows);
int RunServe(bool quick);
// `rows`: how many are searched; 0 for the bench's own number.
int RunAnn(bool quick, int64_t rows);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_BENCH_H_
