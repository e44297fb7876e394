#include "model/train/study/study_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <nlohmann/json.hpp>

#include "base/status.h"

namespace sightline::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

StudyConfig TwoRows() {
  StudyConfig study{.title = "What | is it", .columns = {"stem", "head"}, .held_out = "data/held_out"};
  study.rows.resize(2);
  study.rows[0].name = "a|b";
  study.rows[0].columns = {{"head", "yes"}};
  study.rows[0].parameters = 5;
  study.rows[0].train.validation.emplace();
  study.rows[1].name = "c\\d";
  study.rows[1].columns = {{"stem", "yes"}};
  return study;
}

RowResult Measured() {
  return {.steps = 150,
          .images = 6000,
          .seconds = 234.6,
          .validation = ValidationResult{.map = 0.51234, .recall_at_1 = 0.875, .queries = 40},
          .held_out = RevisitedScores{.easy = {0.9, 20}, .medium = {0.60004, 21}, .hard = {0, 0}},
          .embedding_space = "abc"};
}

TEST(StudyTableTest, RowsStandInOrderAndThoseNotRunSaySo) {
  EXPECT_EQ(StudyMarkdown(TwoRows(), {std::nullopt, Measured()}),
            "# What \\| is it\n\n"
            "| # | row | stem | head | mAP | R@1 | Easy | Medium | Hard | images | seconds |\n"
            "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
            "| 1 | a\\|b |  | yes | not run |  |  |  |  |  |  |\n"
            "| 2 | c\\\\d | yes |  | 51.2 | 87.5 | 90.0 | 60.0 | - | 6000 | 235 |\n"
            "\nmAP and R@1: the validation of the training configuration, in percent, over 40 queries."
            "\nEasy, Medium, Hard: mAP by trapezoids on the held-out set data/held_out, in percent, over 20, 21 and 0 "
            "queries."
            "\nImages count every time they are seen; seconds are of training alone.\n");
}

TEST(StudyTableTest, MeasuresThatAStudyDoesNotHaveHaveNoColumns) {
  StudyConfig study = TwoRows();
  study.held_out.clear();
  const std::string without_set = StudyMarkdown(study, {std::nullopt, std::nullopt});
  EXPECT_THAT(without_set, HasSubstr("| mAP | R@1 | images | seconds |"));
  EXPECT_THAT(without_set, Not(HasSubstr("Medium")));
  study = TwoRows();
  study.rows[0].train.validation.reset();
  EXPECT_THAT(StudyMarkdown(study, {std::nullopt, std::nullopt}),
              HasSubstr("| head | Easy | Medium | Hard | images |"));
}

TEST(StudyTableTest, ResultsComeBackAsTheyWere) {
  RowResult bare{.steps = 3, .images = 9, .seconds = 0.125, .embedding_space = "x"};
  const auto read = ParseResults(StudyJson(TwoRows(), {Measured(), bare}), "study.json");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2u);
  const RowResult& first = *(*read)[0];
  EXPECT_EQ(first.steps, 150);
  EXPECT_EQ(first.images, 6000);
  EXPECT_EQ(first.seconds, 234.6);
  EXPECT_EQ(first.validation->map, 0.51234);
  EXPECT_EQ(first.validation->recall_at_1, 0.875);
  EXPECT_EQ(first.validation->queries, 40);
  EXPECT_EQ(first.held_out->easy.map, 0.9);
  EXPECT_EQ(first.held_out->medium.queries, 21);
  EXPECT_EQ(first.held_out->hard.queries, 0);
  EXPECT_EQ(first.embedding_space, "abc");
  EXPECT_FALSE((*read)[1]->validation.has_value());
  EXPECT_FALSE((*read)[1]->held_out.has_value());
  const auto nothing = ParseResults(StudyJson(TwoRows(), {std::nullopt, Measured()}), "study.json");
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_FALSE((*nothing)[0].has_value());
  EXPECT_TRUE((*nothing)[1].has_value());
}

TEST(StudyTableTest, AFileThatWasNotWrittenHereIsRefused) {
  const std::string good = StudyJson(TwoRows(), {Measured(), std::nullopt});
  const auto refuses = [&good](const char* pointer, const json& value) {
    json root = json::parse(good);
    root[json::json_pointer(pointer)] = value;
    const auto read = ParseResults(root.dump(), "study.json");
    return read.status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refuses("/rows/0/result/steps", -1));
  EXPECT_TRUE(refuses("/rows/0/result/steps", "many"));
  EXPECT_TRUE(refuses("/rows/0/result/extra", 1));
  EXPECT_TRUE(refuses("/rows/0/result/validation/map", 1.5));
  EXPECT_TRUE(refuses("/rows/0/result/held_out/easy", nullptr));
  EXPECT_TRUE(refuses("/rows/1/result", 3));
  EXPECT_TRUE(refuses("/rows/1", nullptr));
  EXPECT_TRUE(refuses("/rows", nullptr));
  json root = json::parse(good);
  root["rows"][1].erase("result");
  EXPECT_FALSE(ParseResults(root.dump(), "study.json").ok());
  for (size_t size = 0; size + 2 < good.size(); ++size) {
    ASSERT_FALSE(ParseResults(absl::string_view(good).substr(0, size), "study.json").ok()) << size;
  }
}

}  // namespace
}  // namespace sightline::train
