// Which images leave a ranking, and when.
#include "client/cli/evaluate/score.h"

#include <gtest/gtest.h>

#include "client/cli/evaluate/benchmark.h"
#include "client/cli/evaluate/failures.h"
#include "client/cli/evaluate/picture_size.h"
#include "client/cli/evaluate/report.h"

namespace sightline::cli {
namespace {

// Images 0 to 4; 0 and 1 are junk, 3 is right.
Benchmark Small() {
  Benchmark benchmark{.title = "small", .images = {"0", "1", "2", "3", "4"}};
  benchmark.measures = RevisitedMeasures();
  SetRevisitedSplits(&benchmark);
  benchmark.queries = {{.name = "q",
                        .picture = "q",
                        .judged = {{0, Grade::kJunk}, {1, Grade::kJunk}, {3, Grade::kEasy}, {4, Grade::kHard}}}};
  return benchmark;
}

RankedImage Result(int image, int before, std::optional<double> rerank) {
  return {.id = std::to_string(image), .image = image, .rank_before = before, .rerank_score = rerank};
}

TEST(ScoreTest, IgnoredImagesLeaveBeforeTheShortlistIsCut) {
  const Benchmark benchmark = Small();
  // Before re-ranking: 0, 1, 2, 3, 4. Four were re-ranked for a shortlist of two that two ignored images would fill.
  const Ranking ranking = {Result(4, 5, 2.0), Result(3, 4, 1.5), Result(0, 1, 1.2), Result(1, 2, 1.1),
                           Result(2, 3, 1.0)};
  // Medium: 2 and 3 are the shortlist, 3 wins, 4 keeps its place below: ranks 0 and 2.
  const QueryOutcome outcome = ScoreQuery(benchmark, benchmark.queries[0], ranking, 2);
  EXPECT_NEAR(outcome.splits[1].values[0], 0.7916666666666666, 1e-12);
  // Easy: 4 is ignored. Hard: 3 is, so that 2 and 4 are the shortlist, and 4 wins.
  EXPECT_DOUBLE_EQ(outcome.splits[0].values[0], 1);
  EXPECT_DOUBLE_EQ(outcome.splits[2].values[0], 1);
  // As the ranking stands, 4 and 3 are first.
  EXPECT_DOUBLE_EQ(ScoreQuery(benchmark, benchmark.queries[0], ranking).splits[1].values[0], 1);
}

TEST(ScoreTest, WhatWasNotReRankedStandsBelow) {
  const Benchmark benchmark = Small();
  const Ranking ranking = {Result(2, 1, std::nullopt), Result(3, 2, -0.5), Result(4, 3, std::nullopt)};
  const QueryOutcome outcome = ScoreQuery(benchmark, benchmark.queries[0], ranking, 3);
  ASSERT_EQ(outcome.right.size(), 2u);
  EXPECT_EQ(outcome.right[0].id, "3");
  EXPECT_EQ(outcome.right[0].rank, 1);
  EXPECT_EQ(outcome.wrong[0].id, "2");
  EXPECT_EQ(outcome.wrong[0].rank, 2);
}

TEST(ScoreTest, WhatIsNotReturnedIsNotFound) {
  const Benchmark benchmark = Small();
  const std::vector<QueryOutcome> outcomes = {ScoreQuery(benchmark, benchmark.queries[0], {Result(3, 0, {})})};
  const SplitScore medium = Mean(benchmark, outcomes)[1];
  EXPECT_DOUBLE_EQ(medium.means[0], 0.5);
  EXPECT_EQ(medium.positives, 2);
  EXPECT_EQ(medium.not_found, 1);
}

TEST(PictureSizeTest, ReadsHeadersAndNothingBeyond) {
  const std::string png =
      std::string("\x89PNG\r\n\x1a\n", 8) + std::string("\0\0\0\x0dIHDR\0\0\x01\x02\0\0\x00\x03", 16);
  EXPECT_EQ(PictureSize(png), std::make_pair(258, 3));
  const std::string jpeg = std::string("\xff\xd8\xff\xe0\0\x04xx\xff\xc0\0\x11\x08\0\x20\x01\x00\x03", 18);
  EXPECT_EQ(PictureSize(jpeg), std::make_pair(256, 32));
  for (size_t size = 0; size < jpeg.size() - 2; ++size) EXPECT_FALSE(PictureSize(jpeg.substr(0, size))) << size;
  for (size_t size = 0; size < png.size(); ++size) EXPECT_FALSE(PictureSize(png.substr(0, size))) << size;
  EXPECT_FALSE(PictureSize(std::string("\xff\xd8\xff\xe0\0\0\0\0\0\0\0\0\0\0\0\0", 16)));
}

TEST(EvalPageTest, NothingFromOutsideIsMarkup) {
  const std::string evil = "\"><script>alert(1)</script>\x1b[2J";
  Benchmark benchmark = Small();
  benchmark.queries[0].name = evil;
  benchmark.queries[0].picture = evil;
  benchmark.queries[0].box = QueryBox{1, 2, 3, 4};
  const std::vector<QueryOutcome> outcomes = {
      ScoreQuery(benchmark, benchmark.queries[0], {{.id = evil, .image = -1}, {.id = evil, .image = 3}})};
  EvalReport report{.title = evil, .ground_truth = evil, .source = evil, .measures = benchmark.measures};
  for (const BenchSplit& split : benchmark.splits) report.split_names.push_back(split.name);
  report.model.set_model(evil);
  report.index = evil;
  report.notes = {evil};
  report.command = evil;
  report.runs.push_back({.name = evil, .settings = evil, .splits = Mean(benchmark, outcomes)});
  report.runs[0].milliseconds[evil] = 1;
  const FailurePictures sources{
      .of_file = [&](const std::string& name,
                     const std::string&) { return PagePicture{.name = name, .missing = evil}; },
      .of_result = [&](const std::string& id) { return PagePicture{.name = id, .missing = evil}; }};
  const auto failures = WorstQueries(benchmark, outcomes, {"file"}, sources, 20);
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].found, 1);
  EXPECT_EQ(failures[0].wrong[0].rank, 1);
  EXPECT_EQ(failures[0].right[0].rank, 2);
  const std::string page = EvalPage(report, failures);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find('\x1b'), std::string::npos);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(page.find("http://"), std::string::npos);
  EXPECT_NE(page.find("alert(1)&lt;/<wbr>script"), std::string::npos);  // where a path may break
  EXPECT_EQ(page.find("</<wbr>"), std::string::npos);
  const std::string table = EvalTable(report);
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_NE(table.find("12.50"), std::string::npos) << table;  // Medium: (0 + 1/2) / 4, in percent
  EXPECT_NE(EvalJson(report).find("\"mAP\":"), std::string::npos);
}

TEST(WorstQueriesTest, WorstFirstAndOnlyWhatWentWrong) {
  Benchmark benchmark = Small();
  benchmark.queries.resize(3, benchmark.queries[0]);
  benchmark.queries[1].name = "perfect";
  benchmark.queries[2].name = "worst";
  std::vector<QueryOutcome> outcomes;
  outcomes.push_back(ScoreQuery(benchmark, benchmark.queries[0], {Result(3, 0, {})}));
  outcomes.push_back(ScoreQuery(benchmark, benchmark.queries[1], {Result(3, 0, {}), Result(4, 0, {})}));
  outcomes.push_back(ScoreQuery(benchmark, benchmark.queries[2], {}));
  const auto failures = WorstQueries(benchmark, outcomes, {}, {}, 20);
  ASSERT_EQ(failures.size(), 2u);
  EXPECT_EQ(failures[0].query, "worst");
  EXPECT_EQ(failures[1].query, "q");
  EXPECT_EQ(WorstQueries(benchmark, outcomes, {}, {}, 1).size(), 1u);
}

}  // namespace
}  // namespace sightline::cli
