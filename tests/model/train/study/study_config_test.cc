#include "model/train/study/study_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <variant>

#include "base/status.h"
#include "model/config/model_config.h"

namespace sightline::train {
namespace {

using model::Position;
using nlohmann::json;
using ::testing::HasSubstr;

json Good() {
  return {{"title", "A study"},
          {"columns", {"stem", "head"}},
          {"base",
           {{"data", {{"root", "photos"}}},
            {"loss", {{"kind", "arcface"}}},
            {"optimiser", {{"kind", "adamw"}, {"lr", 0.001}}},
            {"steps", 10}}},
          {"architecture", "dtop_tiny"},
          {"measure", {{"images", "held_out"}}},
          {"rows",
           {{{"name", "full"}},
            {{"name", "plain"},
             {"columns", {{"stem", "no"}}},
             {"model",
              {{"backbone",
                {{"type", "vit"},
                 {"linear_patches", nullptr},
                 {"stem_channels", nullptr},
                 {"groups", nullptr},
                 {"stages", nullptr}}}}},
             {"train", {{"optimiser", {{"lr", 0.002}}}, {"steps", nullptr}, {"epochs", 3}}}}}}};
}

absl::StatusOr<StudyConfig> Parse(const json& study, std::optional<int64_t> steps = std::nullopt) {
  return ParseStudy(study.dump(), "study.json", {.zoo = SIGHTLINE_ZOO, .steps = steps});
}

json With(const std::string& pointer, const json& value) {
  json study = Good();
  study[json::json_pointer(pointer)] = value;
  return study;
}

std::string Refusal(const json& study) {
  const auto parsed = Parse(study);
  EXPECT_FALSE(parsed.ok()) << study;
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << parsed.status();
  return std::string(parsed.status().message());
}

TEST(StudyConfigTest, RowsAreTheBaseWithTheirPatches) {
  const auto study = Parse(Good());
  ASSERT_TRUE(study.ok()) << study.status();
  EXPECT_EQ(study->title, "A study");
  EXPECT_EQ(study->columns, (std::vector<std::string>{"stem", "head"}));
  EXPECT_EQ(study->held_out, "held_out");
  ASSERT_EQ(study->rows.size(), 2u);
  const StudyRow& full = study->rows[0];
  const StudyRow& plain = study->rows[1];
  std::stringstream zoo;
  zoo << std::ifstream(SIGHTLINE_ZOO "/dtop_tiny/model.json").rdbuf();
  EXPECT_EQ(json::parse(full.model_json), json::parse(zoo.str()));
  EXPECT_EQ(full.train.steps, 10);
  EXPECT_EQ(full.train.optimiser.lr, 0.001);
  EXPECT_TRUE(full.columns.empty());
  // Nested members are replaced one by one, null takes one out.
  const auto model = model::ParseModelConfig(plain.model_json);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto* const vit = std::get_if<model::VitConfig>(&model->backbone);
  ASSERT_NE(vit, nullptr);
  EXPECT_EQ(vit->encoder.dim, 192);
  EXPECT_EQ(plain.parameters, model->parameters());
  EXPECT_LT(plain.parameters, full.parameters);
  EXPECT_EQ(plain.train.optimiser.lr, 0.002);
  EXPECT_EQ(plain.train.optimiser.kind, OptimiserKind::kAdamw);
  EXPECT_EQ(plain.train.steps, 0);
  EXPECT_EQ(plain.train.epochs, 3);
  EXPECT_EQ(plain.columns.at("stem"), "no");
}

TEST(StudyConfigTest, AStudyMayPatchTheArchitectureOfAllRows) {
  json study = With("/model", {{"preprocess", {{"image_size", 96}}}, {"head", {{"dim", 32}}}});
  study["/rows/1/model/head"_json_pointer] = {{"dim", 48}};
  const auto parsed = Parse(study);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const int dims[] = {32, 48};
  for (size_t i = 0; i < 2; ++i) {
    const auto model = model::ParseModelConfig(parsed->rows[i].model_json);
    EXPECT_EQ(model->preprocess.image_size, 96);
    EXPECT_EQ(model->descriptor_dim(), dims[i]);
  }
}

TEST(StudyConfigTest, StepsOfTheCommandLineAreThoseOfEveryRow) {
  const auto study = Parse(Good(), 7);
  ASSERT_TRUE(study.ok()) << study.status();
  for (const StudyRow& row : study->rows) {
    EXPECT_EQ(row.train.steps, 7);
    EXPECT_EQ(row.train.epochs, 0);
  }
  EXPECT_NE(study->rows[0].text, Parse(Good())->rows[0].text);
  EXPECT_THAT(std::string(Parse(Good(), 0).status().message()), HasSubstr("steps"));
}

TEST(StudyConfigTest, WhatDecidesAResultIsInTheTextOfTheRow) {
  const auto text = [](const json& study) { return Parse(study)->rows[0].text; };
  EXPECT_EQ(text(Good()), text(With("/title", "Another")));
  EXPECT_EQ(text(Good()), text(With("/rows/1/name", "another")));
  EXPECT_NE(text(Good()), text(With("/base/seed", 2)));
  EXPECT_NE(text(Good()), text(With("/model", {{"head", {{"dim", 32}}}})));
  EXPECT_NE(text(Good()), text(With("/measure/images", "elsewhere")));
  // A checkpoint belongs to the architecture, too.
  EXPECT_NE(Parse(Good())->rows[0].train.text_sha256,
            Parse(With("/model", {{"head", {{"dim", 32}}}}))->rows[0].train.text_sha256);
}

TEST(StudyConfigTest, WhatIsWrongIsNamedWithTheRow) {
  EXPECT_THAT(Refusal(With("/titel", 3)), HasSubstr("\"titel\" is not a known field. Correct study.json."));
  EXPECT_THAT(Refusal(With("/title", "")), HasSubstr("title"));
  EXPECT_THAT(Refusal(With("/title", "a\nb")), HasSubstr("title"));
  EXPECT_THAT(Refusal(With("/base", 3)), HasSubstr("base"));
  EXPECT_THAT(Refusal(With("/base/model", "dtop_tiny")), HasSubstr("must not hold model or out"));
  EXPECT_THAT(Refusal(With("/base/out", "x")), HasSubstr("must not hold model or out"));
  EXPECT_THAT(Refusal(With("/architecture", "no_such")), HasSubstr("no_such/model.json"));
  EXPECT_THAT(Refusal(With("/measure", json::object())), HasSubstr("measure.images"));
  EXPECT_THAT(Refusal(With("/measure/image", "x")), HasSubstr("measure.image"));
  EXPECT_THAT(Refusal(With("/columns", {"a", "a"})), HasSubstr("twice"));
  EXPECT_THAT(Refusal(With("/columns", {"a|\n"})), HasSubstr("columns"));
  EXPECT_THAT(Refusal(With("/rows", json::array())), HasSubstr("rows"));
  EXPECT_THAT(Refusal(With("/rows/0", 3)), HasSubstr("rows[0]"));
  EXPECT_THAT(Refusal(With("/rows/0/nam", "x")), HasSubstr("rows[0].nam"));
  EXPECT_THAT(Refusal(With("/rows/0/name", "plain")), HasSubstr("row 2 (\"plain\") has the name of another row"));
  EXPECT_THAT(Refusal(With("/rows/1/columns", {{"tail", "x"}})), HasSubstr("rows[1].columns"));
  EXPECT_THAT(Refusal(With("/rows/1/columns", {{"stem", 1}})), HasSubstr("rows[1].columns"));
  EXPECT_THAT(Refusal(With("/rows/1/columns", {{"stem", ""}})), HasSubstr("rows[1].columns"));
  EXPECT_THAT(Refusal(With("/rows/1/train/out", "x")), HasSubstr("rows[1].train"));
  EXPECT_THAT(Refusal(With("/rows/1/model", "x")), HasSubstr("rows[1].model"));
  EXPECT_THAT(Refusal(json::array()), HasSubstr("object"));

  const std::string model = Refusal(With("/rows/1/model/backbone/depth", 0));
  EXPECT_THAT(model, HasSubstr("study.json: the patches of row 2 (\"plain\") make a model that is not valid: "));
  EXPECT_THAT(model, HasSubstr("backbone.depth"));
  EXPECT_THAT(model, HasSubstr("Correct its \"model\"."));
  EXPECT_THAT(Refusal(With("/rows/1/model/backbone/stages", 3)), HasSubstr("row 2"));
  const std::string train = Refusal(With("/rows/1/train/optimiser", {{"kind", "luck"}}));
  EXPECT_THAT(train, HasSubstr("study.json, training of row 2 (\"plain\"): "));
  EXPECT_THAT(train, HasSubstr("optimiser.kind"));

  json unmeasured = Good();
  unmeasured.erase("measure");
  EXPECT_THAT(Refusal(unmeasured), HasSubstr("nothing says how the row is measured"));
}

TEST(StudyConfigTest, HostileTextsAreRefused) {
  const std::string texts[] = {"",
                               "{",
                               "null",
                               "\x00\xff",
                               R"({"title":"a","title":"b"})",
                               std::string(100'000, '['),
                               "{\"title\":\"" + std::string(2 << 20, 'a') + "\"}"};
  for (const std::string& text : texts) EXPECT_FALSE(ParseStudy(text, "study.json", {.zoo = SIGHTLINE_ZOO}).ok());
}

absl::StatusOr<StudyConfig> ParseRecipe(const std::string& name) {
  std::stringstream text;
  text << std::ifstream(SIGHTLINE_RECIPES "/" + name).rdbuf();
  return ParseStudy(text.str(), name, {.zoo = SIGHTLINE_ZOO});
}

TEST(StudyConfigTest, TheRecipeOfDtopsAblationHasThePublishedRows) {
  const auto study = ParseRecipe("ablation_dtop.json");
  ASSERT_TRUE(study.ok()) << study.status();
  ASSERT_EQ(study->rows.size(), 11u);
  std::vector<model::ModelConfig> models;
  for (const StudyRow& row : study->rows) models.push_back(*model::ParseModelConfig(row.model_json));
  for (size_t i = 0; i < 11; ++i) {
    SCOPED_TRACE(study->rows[i].name);
    const auto& columns = study->rows[i].columns;
    const auto& head = std::get<model::DtopConfig>(models[i].head);
    EXPECT_EQ(std::holds_alternative<model::HybridVitConfig>(models[i].backbone), columns.contains("CNN stem"));
    EXPECT_EQ(head.global, columns.contains("global"));
    EXPECT_EQ(head.local, columns.contains("local"));
    EXPECT_EQ(head.locality(), columns.contains("ELM"));
    EXPECT_EQ(columns.contains("CNN stem"), i >= 4);
    EXPECT_EQ(study->rows[i].train.steps, study->rows[0].train.steps);
    EXPECT_EQ(study->rows[i].train.seed, study->rows[0].train.seed);
    EXPECT_FALSE(study->rows[i].train.distill.has_value());
    EXPECT_FALSE(study->rows[i].train.init->class_token_head);
  }
  const auto position = [&](size_t i) { return std::get<model::HybridVitConfig>(models[i].backbone).encoder.position; };
  for (size_t i = 4; i < 8; ++i) EXPECT_EQ(position(i), Position::kBilinear);
  EXPECT_EQ(position(8), Position::kNone);
  EXPECT_EQ(position(9), Position::kCpe);
  EXPECT_EQ(position(10), Position::kBicubic);
  // Rows without the stem have the same transformer.
  const auto plain = std::get<model::VitConfig>(models[3].backbone);
  const auto hybrid = std::get<model::HybridVitConfig>(models[7].backbone);
  EXPECT_EQ(plain.encoder.parameters(), hybrid.encoder.parameters());
  EXPECT_EQ(plain.patch, hybrid.stride());
}

TEST(StudyConfigTest, TheRecipeOfGlamsAblationHasEveryAttentionOnAndOff) {
  const auto study = ParseRecipe("ablation_glam.json");
  ASSERT_TRUE(study.ok()) << study.status();
  ASSERT_EQ(study->rows.size(), 8u);
  for (const StudyRow& row : study->rows) {
    SCOPED_TRACE(row.name);
    const auto model = model::ParseModelConfig(row.model_json);
    const auto& head = std::get<model::GlamConfig>(model->head);
    EXPECT_EQ(head.local_channel, row.columns.contains("local channel"));
    EXPECT_EQ(head.local_spatial, row.columns.contains("local spatial"));
    EXPECT_EQ(head.global_channel, row.columns.contains("global channel"));
    EXPECT_EQ(head.global_spatial, row.columns.contains("global spatial"));
    EXPECT_LT(row.parameters, 8'000'000);
  }
}

}  // namespace
}  // namespace sightline::train
