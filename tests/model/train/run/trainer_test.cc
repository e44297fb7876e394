#include "model/train/run/trainer.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "base/status.h"
#include "model/config/model_config.h"
#include "tests/model/train/run/training_fixture.h"

namespace sightline::train {
namespace {

using ::testing::HasSubstr;

class TrainerTest : public TrainingTest {
 protected:
  // Stops in front of step `count` (from 0) of this process.
  static TrainOptions StopAfter(int count, bool resume) {
    auto left = std::make_shared<int>(count);
    return {.resume = resume, .wants_to_stop = [left] { return (*left)-- <= 0; }};
  }

  static void ExpectResumedEqualsWhole(const nlohmann::json& config, const std::string& name) {
    const auto whole = RunTraining(config, name + "_whole");
    ASSERT_TRUE(whole.ok()) << whole.status();
    EXPECT_EQ(whole->step, 9);
    const auto first = RunTraining(config, name + "_parts", StopAfter(4, false));
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_TRUE(first->interrupted);
    EXPECT_EQ(first->step, 4);
    const auto second = RunTraining(config, name + "_parts", {.resume = true});
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_EQ(second->step, 9);
    EXPECT_EQ(Weights(name + "_whole"), Weights(name + "_parts"));
    EXPECT_EQ(whole->embedding_space, second->embedding_space);
    EXPECT_EQ(whole->best_map, second->best_map);
  }
};

TEST_F(TrainerTest, ARunInTwoPartsGivesTheBitsOfAWholeOneWithAdamw) { ExpectResumedEqualsWhole(Config(), "adamw"); }

TEST_F(TrainerTest, ARunInTwoPartsGivesTheBitsOfAWholeOneWithMomentumAndALossOfItsOwnValues) {
  nlohmann::json config = Config();
  config["loss"] = {{"kind", "margin"}};
  config["optimiser"] = {{"kind", "sgd"}, {"lr", 0.01}, {"nesterov", true}, {"loss_lr", 0.05}};
  config.erase("ema");
  config["clip"] = 1;
  config["freeze_bn"] = true;
  ExpectResumedEqualsWhole(config, "sgd");
}

// Stopped in front of its first step, behind the validation that is there: it is no second one without progress.
TEST_F(TrainerTest, ARunStoppedAtItsBeginningIsNotStale) {
  nlohmann::json config = Config();
  config["early_stop"] = 1;
  const auto whole = RunTraining(config, "begun_whole");
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_GT(whole->step, 0);
  const auto stopped = RunTraining(config, "begun_parts", StopAfter(0, false));
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_TRUE(stopped->interrupted);
  EXPECT_EQ(stopped->step, 0);
  const auto resumed = RunTraining(config, "begun_parts", {.resume = true});
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(resumed->step, whole->step);
  EXPECT_EQ(resumed->best_step, whole->best_step);
}

TEST_F(TrainerTest, TheBestMayBeKeptFromACheckpointOn) {
  nlohmann::json config = Config();
  const auto first = RunTraining(config, "kept", StopAfter(4, false));
  ASSERT_TRUE(first.ok()) << first.status();
  config["keep_best"] = true;
  const auto second = RunTraining(config, "kept", {.resume = true});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(second->best_step == 8 || second->best_step == 9) << second->best_step;
  const auto text = base::ReadFile(second->model + "/model.json", 1 << 20);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(model::ParseModelConfig(*text)->training->steps, second->best_step);
}

TEST_F(TrainerTest, CurvesThatCannotBeWrittenCostNoSteps) {
  nlohmann::json config = Config();
  config.erase("validation");
  std::filesystem::create_directories(Path("undrawn/curves.svg/taken"));
  EXPECT_FALSE(RunTraining(config, "undrawn").ok());
  EXPECT_TRUE(std::filesystem::exists(Path("undrawn/checkpoint-000000003.safetensors")));
}

TEST_F(TrainerTest, AnotherSeedGivesOtherWeights) {
  nlohmann::json config = Config();
  config["steps"] = 2;
  ASSERT_TRUE(RunTraining(config, "seed_5").ok());
  config["seed"] = 6;
  ASSERT_TRUE(RunTraining(config, "seed_6").ok());
  EXPECT_NE(Weights("seed_5"), Weights("seed_6"));
}

TEST_F(TrainerTest, AFolderWithARunIsNotTrainedOverAndAForeignCheckpointIsRefused) {
  nlohmann::json config = Config();
  config["steps"] = 3;
  ASSERT_TRUE(RunTraining(config, "taken").ok());
  const auto again = RunTraining(config, "taken");
  EXPECT_EQ(base::GetErrorInfo(again.status()).reason, "RUN_EXISTS") << again.status();
  config["seed"] = 99;
  const auto foreign = RunTraining(config, "taken", {.resume = true});
  EXPECT_EQ(base::GetErrorInfo(foreign.status()).reason, "CHECKPOINT_FOREIGN") << foreign.status();
}

TEST_F(TrainerTest, ALossThatIsNotFiniteEndsTheRunAndKeepsTheCheckpoint) {
  nlohmann::json config = Config();
  config.erase("validation");
  config["optimiser"] = {{"kind", "sgd"}, {"lr", 100}, {"momentum", 0.99}};
  config["schedule"] = {{"kind", "constant"}};
  config["loss_weight"] = 1e6;
  config["checkpoint_every"] = 1;
  config["steps"] = 400;
  const auto outcome = RunTraining(config, "explodes");
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(base::GetErrorInfo(outcome.status()).reason, "LOSS_NOT_FINITE") << outcome.status();
  EXPECT_THAT(std::string(outcome.status().message()), HasSubstr("Lower optimiser.lr"));
}

TEST_F(TrainerTest, TrainingMakesAModelThatFindsBetterAndSaysHowItWasMade) {
  nlohmann::json config = Config();
  config["augment"] = {{"crop_area", 0.6}, {"rotate", 15}, {"brightness", 0.2}};
  config["optimiser"] = {{"kind", "adamw"}, {"lr", 0.002}, {"weight_decay", 0.01}};
  config["schedule"]["warmup_steps"] = 10;
  config["steps"] = 150;
  config["dropout"] = 0;
  config["wave_height"] = 0;
  config["validate_every"] = 75;
  config["checkpoint_every"] = 75;
  const auto outcome = RunTraining(config, "learns", {.half = true});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  // Chance is about 1 / 12 = 0.08 here.
  RecordProperty("first_map", std::to_string(*outcome->first_map));
  RecordProperty("map", std::to_string(*outcome->map));
  EXPECT_GT(*outcome->map, *outcome->first_map + 0.05) << "seed 5";
  EXPECT_GT(*outcome->map, 0.85) << "seed 5";

  const auto svg = base::ReadFile(Path("learns/curves.svg"), 1 << 20);
  ASSERT_TRUE(svg.ok());
  EXPECT_THAT(*svg, HasSubstr("mAP"));
  const auto png = base::ReadFile(Path("learns/curves.png"), 1 << 20);
  ASSERT_TRUE(png.ok());
  EXPECT_THAT(png->substr(1, 3), "PNG");

  const auto text = base::ReadFile(outcome->model + "/model.json", 1 << 20);
  ASSERT_TRUE(text.ok());
  const auto model = model::ParseModelConfig(*text);
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_TRUE(model->training.has_value());
  EXPECT_EQ(model->training->steps, 150);
  EXPECT_EQ(model->training->seed, 5);
  EXPECT_EQ(model->training->photographs, kThings * 5);
  EXPECT_EQ(model->training->classes, kThings);
  EXPECT_TRUE(model->seeded.empty());
}

// Things become places: 111 m apart, photographs of one within a few metres, all with one label.
TEST_F(TrainerTest, PlacesAreLearnedFromPositions) {
  std::ifstream in(Path("scenes/labels.csv"));
  std::ofstream out(Path("scenes/places.csv"));
  std::string line, path, thing, before;
  std::getline(in, line);
  out << "path,label,split,latitude,longitude\n";
  double latitude = 50;
  for (int view = 0; std::getline(in, line); ++view) {
    std::istringstream fields(line);
    std::getline(std::getline(fields, path, ','), thing, ',');
    if (thing != before) {
      latitude += 0.001;
      view = 0;
      before = thing;
    }
    out << path << ",town," << (view % 2 == 0 ? "query" : "index") << "," << latitude + 1e-6 * view << ",8\n";
  }
  out.close();
  nlohmann::json config = Config();
  config["data"] = {{"layout", "csv"}, {"root", Path("scenes")}, {"list", "places.csv"}};
  config["validation"]["data"] = config["data"];
  config["sampler"] = {{"batch", 12}, {"negatives", 2}, {"sizes", {{64, 64}}}};
  config["loss"] = {{"kind", "triplet_sos"}, {"margin", 0.3}, {"sos_weight", 0}};
  config["augment"] = {{"crop_area", 0.8}};
  config["dropout"] = 0;
  config["wave_height"] = 0;
  config["steps"] = 60;
  config["validate_every"] = 60;
  const auto outcome = RunTraining(config, "places");
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  RecordProperty("first_map", std::to_string(*outcome->first_map));
  RecordProperty("map", std::to_string(*outcome->map));
  EXPECT_GT(*outcome->map, *outcome->first_map + 0.02) << "seed 5";
  config["data"]["list"] = "list.csv";
  EXPECT_EQ(base::GetErrorInfo(RunTraining(config, "nowhere").status()).reason, "POSITION_MISSING");
}

TEST_F(TrainerTest, AStudentIsDistilledAndAStudentOfOtherTokensIsRefused) {
  nlohmann::json config = Config();
  config["steps"] = 2;
  config.erase("validation");
  ASSERT_TRUE(RunTraining(config, "teacher").ok());
  config.erase("loss");
  config["distill"] = {{"teacher", Path("teacher/model")},
                       {"targets",
                        {{{"kind", "tokens"}, {"metric", "cosine"}},
                         {{"kind", "layers"}, {"layers", 2}, {"metric", "mse"}},
                         {{"kind", "descriptor"}, {"weight", 10}},
                         {{"kind", "similarity"}},
                         {{"kind", "distances"}},
                         {{"kind", "angles"}}}}};
  const auto student = RunTraining(config, "student");
  ASSERT_TRUE(student.ok()) << student.status();

  config["sampler"]["sizes"] = {{64, 64}};
  config["distill"]["size"] = 96;
  const auto other = RunTraining(config, "student_of_other_tokens");
  EXPECT_EQ(base::GetErrorInfo(other.status()).reason, "TEACHER_UNFIT") << other.status();
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("(17, 48)"));
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("(37, 48)"));

  config["distill"]["teacher"] = Path("nobody");
  EXPECT_FALSE(RunTraining(config, "student_of_nobody").ok());
}

TEST_F(TrainerTest, TrainingGoesOnFromAFinishedModel) {
  nlohmann::json config = Config();
  config["steps"] = 1;
  config.erase("validation");
  ASSERT_TRUE(RunTraining(config, "base").ok());
  config["init"] = {{"checkpoint", Path("base/model/weights.safetensors")}, {"prefix", "backbone."}};
  config["freeze"] = {"backbone."};
  const auto outcome = RunTraining(config, "tuned");
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  config["freeze"] = {"backbones."};
  EXPECT_EQ(base::GetErrorInfo(RunTraining(config, "no_such_name").status()).reason, "INVALID_CONFIG");
  config["init"]["prefix"] = "nothing.";
  EXPECT_EQ(base::GetErrorInfo(RunTraining(config, "nothing_fits").status()).reason, "CHECKPOINT_FITS_NOTHING");
}

}  // namespace
}  // namespace sightline::train
