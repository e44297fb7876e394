// metrics.csv of a run that goes on: what a killed process or a bad disk left in it costs rows, never the run.
#include "model/train/run/metrics_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/seed.h"

namespace sightline::train {
namespace {

using Rows = std::vector<std::map<std::string, double>>;

const char kHeader[] = "step,epoch,loss,labels,learning_rate,gradient_norm,images_per_second,map,recall_at_1\n";

class MetricsLogTest : public ::testing::Test {
 protected:
  ~MetricsLogTest() override { std::filesystem::remove(path_); }

  // A run's rows at steps 10, 20, ... 10 * count.
  void WriteRun(int count) {
    const auto log = MetricsLog::Open(path_, {"labels"}, /*step=*/0);
    ASSERT_TRUE(log.ok()) << log.status();
    for (int i = 1; i <= count; ++i) {
      ASSERT_TRUE((*log)->Write({{"step", 10 * i}, {"loss", 5.0 / i}, {"recall_at_1", 0.125 * i}}).ok());
    }
  }

  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(path_, std::ios::binary).rdbuf();
    return text.str();
  }

  // What a run that goes on behind `step` finds when the file holds `text`, after it has written a row of its own.
  Rows GoOn(const std::string& text, int64_t step) {
    std::ofstream(path_, std::ios::binary) << text;
    const auto log = MetricsLog::Open(path_, {"labels"}, step);
    EXPECT_TRUE(log.ok()) << log.status();
    if (!log.ok()) return {};
    EXPECT_TRUE((*log)->Write({{"step", static_cast<double>(step + 10)}, {"loss", 0.5}}).ok());
    EXPECT_EQ(Text().substr(0, sizeof(kHeader) - 1), kHeader);
    const auto rows = ReadMetrics(path_);
    EXPECT_TRUE(rows.ok()) << rows.status();
    if (!rows.ok() || rows->empty()) return {};
    EXPECT_EQ(rows->back().at("step"), static_cast<double>(step + 10));
    EXPECT_EQ(rows->back().at("loss"), 0.5);
    return {rows->begin(), rows->end() - 1};
  }

  const std::string path_ =
      (std::filesystem::path(::testing::TempDir()) / ("metrics_" + std::to_string(::getpid()) + ".csv")).string();
};

std::vector<double> Steps(const Rows& rows) {
  std::vector<double> steps;
  for (const auto& row : rows) steps.push_back(row.at("step"));
  return steps;
}

TEST_F(MetricsLogTest, KeepsRowsUpToTheCheckpoint) {
  WriteRun(5);
  EXPECT_EQ(Steps(GoOn(Text(), 30)), (std::vector<double>{10, 20, 30}));
}

// Of every length that a killed process may have left, also where the cut goes through a number: "1.25" is no "1.2".
TEST_F(MetricsLogTest, ATruncatedFileLosesItsLastLineOnly) {
  WriteRun(3);
  const std::string whole = Text();
  const Rows all = *ReadMetrics(path_);
  ASSERT_EQ(all.size(), 3u);
  for (size_t length = 0; length <= whole.size(); ++length) {
    SCOPED_TRACE(length);
    const auto lines = std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length), '\n');
    const Rows expected(all.begin(), all.begin() + std::max<std::ptrdiff_t>(lines - 1, 0));
    EXPECT_EQ(GoOn(whole.substr(0, length), 1000), expected);
  }
}

TEST_F(MetricsLogTest, LinesThatAreNoRowsArePassedOver) {
  const std::string row = ",0,1.5,1.5,0.001,2,100,,\n";
  const std::string text = std::string(kHeader) + "10" + row + "\n\n" + "20,0,1.5\n" + "ten" + row + "nan" + row +
                           "30" + row.substr(0, row.size() - 1) + ",7,8\n" + std::string(5000, ',') + "\n" +
                           std::string("\0\xff\x80\n", 4) + "40" + row;
  EXPECT_EQ(Steps(GoOn(text, 1000)), (std::vector<double>{10, 40}));
}

TEST_F(MetricsLogTest, CellsThatAreNoNumbersAreEmpty) {
  const Rows rows = GoOn(std::string(kHeader) + "10,0,inf,nan,x,1e999,-1e999,,0.5\n", 10);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0], (std::map<std::string, double>{{"step", 10}, {"epoch", 0}, {"recall_at_1", 0.5}}));
}

TEST_F(MetricsLogTest, AFileWithoutItsHeaderIsBegunAnew) {
  WriteRun(3);
  const std::string rows = Text().substr(sizeof(kHeader) - 1);
  EXPECT_TRUE(GoOn(rows, 1000).empty());
  EXPECT_TRUE(GoOn("", 1000).empty());
  EXPECT_TRUE(GoOn("\n\n\n", 1000).empty());
}

// Bytes changed at random: the run goes on, and what it keeps are finite numbers at steps it has done.
TEST_F(MetricsLogTest, RandomDamage) {
  const unsigned seed = sightline::testing::Seed();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  WriteRun(8);
  const std::string whole = Text();
  for (int round = 0; round < 200; ++round) {
    std::string text = whole;
    for (unsigned change = random() % 20 + 1; change > 0; --change) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    for (const auto& row : GoOn(text, 50)) {
      EXPECT_LE(row.at("step"), 50);
      for (const auto& [column, value] : row) EXPECT_TRUE(std::isfinite(value)) << column;
    }
  }
}

}  // namespace
}  // namespace sightline::train
