#include "model/train/study/held_out.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/status.h"
#include "tests/model/train/data/layout_files.h"

namespace sightline::train {
namespace {

using ::testing::HasSubstr;

constexpr char kLabels[] =
    "path,instance,split,x0,y0,x1,y1\n"
    "index/a.jpg,0,index,0,0,0,0\n"
    "query/q.jpg,0,query,10,20,30,60\n"
    "index/b.jpg,1,index,1,2,3,4\n"
    "query/r.jpg,1,query,0,0,5,5\n"
    "index/c.jpg,2,index,0,0,0,0\n";

class HeldOutTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(::testing::TempDir()) / (std::string("held_out_") + std::to_string(::getpid()) +
                                                       ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<HeldOutSet> Read(const std::string& labels, const std::string& truth) const {
    WriteBelow(folder_.string(), "labels.csv", labels);
    WriteBelow(folder_.string(), "ground_truth.csv", truth);
    return ReadHeldOut(folder_.string());
  }
  std::string Refusal(const std::string& labels, const std::string& truth) const {
    const auto set = Read(labels, truth);
    EXPECT_FALSE(set.ok()) << labels << truth;
    EXPECT_EQ(set.status().code(), absl::StatusCode::kInvalidArgument) << set.status();
    return std::string(set.status().message());
  }

  std::filesystem::path folder_;
};

TEST_F(HeldOutTest, QueriesHaveBoxesAndEveryPairAVerdict) {
  const auto set = Read(kLabels,
                        "query,image,relevance\n"
                        "query/q.jpg,index/a.jpg,easy\n"
                        "query/q.jpg,index/c.jpg,junk\n"
                        "query/r.jpg,index/b.jpg,hard\n");
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_EQ(set->queries.size(), 2u);
  ASSERT_EQ(set->database.size(), 3u);
  EXPECT_EQ(set->queries[0].path, folder_.string() + "/query/q.jpg");
  ASSERT_TRUE(set->queries[0].box.has_value());
  EXPECT_EQ(set->queries[0].box->x0, 10);
  EXPECT_EQ(set->queries[0].box->y1, 60);
  // Pictures to search are searched whole, also those whose box says that nothing of the instance is seen.
  for (const Photo& photo : set->database) EXPECT_FALSE(photo.box.has_value());
  EXPECT_EQ(set->database[1].path, folder_.string() + "/index/b.jpg");
  const std::vector<std::vector<Relevance>> want = {{Relevance::kEasy, Relevance::kWrong, Relevance::kJunk},
                                                    {Relevance::kWrong, Relevance::kHard, Relevance::kWrong}};
  EXPECT_EQ(set->verdicts, want);
}

TEST_F(HeldOutTest, WithoutColumnsOfBoxesQueriesAreWhole) {
  const auto set = Read("path,split\nq.jpg,query\na.jpg,index\n", "query,image,relevance\nq.jpg,a.jpg,easy\n");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_FALSE(set->queries[0].box.has_value());
}

TEST_F(HeldOutTest, WhatIsWrongIsNamedWithItsLine) {
  const std::string good = "query,image,relevance\nquery/q.jpg,index/a.jpg,easy\n";
  EXPECT_THAT(Refusal(kLabels, good + "query/q.jpg,index/b.jpg,nice\n"), HasSubstr("ground_truth.csv, line 3"));
  EXPECT_THAT(Refusal(kLabels, good + "query/q.jpg,index/a.jpg,junk\n"), HasSubstr("has judged it"));
  EXPECT_THAT(Refusal(kLabels, good + "index/a.jpg,index/b.jpg,easy\n"), HasSubstr("no query of that path"));
  EXPECT_THAT(Refusal(kLabels, good + "query/q.jpg,query/r.jpg,easy\n"), HasSubstr("in the split index"));
  EXPECT_THAT(Refusal(kLabels, good + "query/q.jpg,index/z.jpg,easy\n"), HasSubstr("in the split index"));
  EXPECT_THAT(Refusal(kLabels, "query,image\n"), HasSubstr("relevance"));
  EXPECT_THAT(Refusal(kLabels, "query,image,relevance\n"), HasSubstr("2 queries and 3 pictures"));
  EXPECT_THAT(Refusal(kLabels, "query,image,relevance\nquery/q.jpg,index/a.jpg,junk\n"), HasSubstr("landmarks"));
  EXPECT_THAT(Refusal(std::string(kLabels) + "index/a.jpg,0,index,0,0,0,0\n", good), HasSubstr("another line"));
  EXPECT_THAT(Refusal(std::string(kLabels) + "../x.jpg,0,index,0,0,0,0\n", good), HasSubstr("below the folder"));
  EXPECT_THAT(Refusal(std::string(kLabels) + "/etc/passwd,0,index,0,0,0,0\n", good), HasSubstr("below the folder"));
  EXPECT_THAT(Refusal(std::string(kLabels) + "x.jpg,0,train,0,0,0,0\n", good), HasSubstr("query or index"));
  EXPECT_THAT(Refusal(std::string(kLabels) + "x.jpg,0,query,5,0,5,9\n", good), HasSubstr("more than x0"));
  EXPECT_THAT(Refusal(std::string(kLabels) + "x.jpg,0,query,5,0,9,nan\n", good), HasSubstr("y1"));
  EXPECT_THAT(Refusal("path,split,x0\na,index,3\n", good), HasSubstr("y0"));
  EXPECT_THAT(Refusal(std::string("\0\0\0", 3), good), HasSubstr("labels.csv"));
}

TEST_F(HeldOutTest, AFolderWithoutTablesIsRefused) { EXPECT_FALSE(ReadHeldOut(folder_.string()).ok()); }

}  // namespace
}  // namespace sightline::train
