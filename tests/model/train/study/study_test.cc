#include "model/train/study/study.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "base/csv.h"
#include "base/retrieval_metrics.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "model/model.h"
#include "tests/model/train/run/training_fixture.h"

namespace sightline::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

// The generated scenes as a held-out set: boxes for all, and what a query should find by its thing and view.
class StudyTest : public TrainingTest {
 protected:
  struct Picture {
    std::string path;
    std::string thing;
    int view = 0;
    bool query = false;
  };

  static void SetUpTestSuite() {
    TrainingTest::SetUpTestSuite();
    const auto text = base::ReadFile(Path("scenes/list.csv"), 1 << 20);
    ASSERT_TRUE(text.ok());
    auto csv = base::CsvReader::Open("list.csv", *text);
    ASSERT_TRUE(csv.ok()) << csv.status();
    const size_t path = *csv->Column("path"), thing = *csv->Column("label"), view = *csv->Column("view"),
                 split = *csv->Column("split");
    pictures_.clear();
    while (*csv->Next()) {
      pictures_.push_back({std::string((*csv)[path]), std::string((*csv)[thing]),
                           static_cast<int>(*csv->Int(view, 0, 100)), (*csv)[split] == "query"});
    }
    std::ofstream labels(Path("scenes/labels.csv"));
    labels << "path,split,x0,y0,x1,y1\n";
    std::ofstream truth(Path("scenes/ground_truth.csv"));
    truth << "query,image,relevance\n";
    for (const Picture& picture : pictures_) {
      labels << picture.path << (picture.query ? ",query,8,4,72,76\n" : ",index,0,0,0,0\n");
      for (const Picture& image : pictures_) {
        if (!picture.query || image.query || image.thing != picture.thing) continue;
        truth << picture.path << "," << image.path << "," << Verdict(image) << "\n";
      }
    }
  }

  static const char* Verdict(const Picture& image) {
    constexpr const char* kVerdicts[] = {"easy", "hard", "junk"};
    return kVerdicts[image.view % 3];
  }

  static json StudyText() {
    json base = Config();
    base.erase("model");
    base["steps"] = 3;
    base["checkpoint_every"] = 2;
    return {{"title", "Small"},
            {"columns", {"local"}},
            {"base", base},
            {"architecture", Path("mini.json")},
            {"measure", {{"images", Path("scenes")}}},
            {"rows",
             {{{"name", "whole"}, {"columns", {{"local", "yes"}}}},
              {{"name", "global"},
               {"model", {{"head", {{"local", false}, {"fuse", nullptr}, {"expand", nullptr}, {"aspp_dim", nullptr}}}}},
               {"train", {{"wave_height", nullptr}}}}}}};
  }

  static absl::StatusOr<StudyOutcome> Run(const json& text, const std::string& out, bool resume = false,
                                          std::vector<size_t> rows = {}, std::function<bool()> stop = {}) {
    auto study = ParseStudy(text.dump(), "study.json", {});
    if (!study.ok()) return study.status();
    StudyOptions options{.out = Path(out), .rows = std::move(rows)};
    options.train = {.resume = resume, .threads = 1, .wants_to_stop = std::move(stop)};
    return RunStudy(*study, options);
  }

  static std::string ReadText(const std::string& name) {
    const auto text = base::ReadFile(Path(name), 1 << 26);
    EXPECT_TRUE(text.ok()) << text.status();
    return text.ok() ? *text : "";
  }

  // A picture as the server would embed it.
  static std::vector<float> Embed(model::Model& model, const Picture& picture) {
    const auto image = image::Decode(ReadText("scenes/" + picture.path), {}, {});
    EXPECT_TRUE(image.ok()) << image.status();
    std::optional<image::CropBox> box;
    if (picture.query) box = image::CropBox{8, 4, 72, 76, image::CropBox::Unit::kPixel};
    const auto prepared = model.Prepare(*image, box);
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    const model::PreparedImage* const batch[] = {&*prepared};
    return (*model.Embed(batch))[0].descriptor;
  }

  // mAP of what counts as right, after what is ignored is taken out, through the server's way of embedding.
  static double ReferenceMap(const std::string& folder, const std::string& right, const std::string& ignored) {
    const auto model = model::Model::Load(folder, {});
    EXPECT_TRUE(model.ok()) << model.status();
    std::map<std::string, std::vector<float>> descriptors;
    for (const Picture& picture : pictures_) descriptors[picture.path] = Embed(**model, picture);
    double sum = 0;
    int queries = 0;
    for (const Picture& query : pictures_) {
      if (!query.query) continue;
      std::vector<std::pair<double, bool>> ranking;
      for (const Picture& image : pictures_) {
        const bool same = image.thing == query.thing;
        if (image.query || (same && ignored.find(Verdict(image)) != std::string::npos)) continue;
        const auto& a = descriptors[query.path];
        const auto& b = descriptors[image.path];
        const double cosine = std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
        ranking.emplace_back(-cosine, same && right.find(Verdict(image)) != std::string::npos);
      }
      std::stable_sort(ranking.begin(), ranking.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      std::vector<int64_t> ranks;
      for (size_t i = 0; i < ranking.size(); ++i) {
        if (ranking[i].second) ranks.push_back(static_cast<int64_t>(i));
      }
      sum += base::TrapezoidalPrecision(ranks, static_cast<int64_t>(ranks.size()));
      ++queries;
    }
    return sum / queries;
  }

  static inline std::vector<Picture> pictures_;
};

TEST_F(StudyTest, RowsAreTrainedMeasuredAndKept) {
  const auto first = Run(StudyText(), "study", false, {1});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->run, 1);
  EXPECT_FALSE(first->results[0].has_value());
  EXPECT_THAT(ReadText("study/study.md"), HasSubstr("| 1 | whole | yes | not run |"));
  EXPECT_THAT(ReadText("study/study.md"), HasSubstr("| 2 | global |  | "));

  const auto taken = Run(StudyText(), "study");
  EXPECT_EQ(base::GetErrorInfo(taken.status()).reason, "RUN_EXISTS") << taken.status();

  const std::string metrics = ReadText("study/row_02/metrics.csv");
  const auto second = Run(StudyText(), "study", true);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->run, 1);
  EXPECT_EQ(second->kept, 1);
  EXPECT_EQ(ReadText("study/row_02/metrics.csv"), metrics);
  EXPECT_EQ(second->results[1]->embedding_space, first->results[1]->embedding_space);
  EXPECT_NE(second->results[0]->embedding_space, first->results[1]->embedding_space);
  EXPECT_THAT(ReadText("study/study.md"), Not(HasSubstr("not run")));

  const auto third = Run(StudyText(), "study", true);
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_EQ(third->run, 0);
  EXPECT_EQ(third->kept, 2);
  EXPECT_EQ(third->results[0]->held_out->medium.map, second->results[0]->held_out->medium.map);

  const RowResult& result = *second->results[0];
  EXPECT_EQ(result.steps, 3);
  EXPECT_EQ(result.images, 36);
  EXPECT_GT(result.seconds, 0);
  EXPECT_EQ(result.validation->queries, kThings);
  EXPECT_GT(result.validation->map, 0);
  EXPECT_EQ(result.held_out->easy.queries, kThings);
  // One image at a time rounds otherwise than a batch: two of almost equal similarity may change places.
  const std::string model = Path("study/row_01/model");
  EXPECT_NEAR(result.held_out->easy.map, ReferenceMap(model, "easy", "hard junk"), 0.005);
  EXPECT_NEAR(result.held_out->medium.map, ReferenceMap(model, "easy hard", "junk"), 0.005);
  EXPECT_NEAR(result.held_out->hard.map, ReferenceMap(model, "hard", "easy junk"), 0.005);

  json other = StudyText();
  other["base"]["seed"] = 6;
  const auto changed = Run(other, "study", true);
  EXPECT_EQ(base::GetErrorInfo(changed.status()).reason, "STUDY_DIFFERS") << changed.status();
  EXPECT_THAT(std::string(changed.status().message()), HasSubstr("row 1 (\"whole\")"));
  other = StudyText();
  other["rows"].erase(1);
  const auto shorter = Run(other, "study", true);
  EXPECT_EQ(base::GetErrorInfo(shorter.status()).reason, "STUDY_DIFFERS") << shorter.status();
}

TEST_F(StudyTest, ARowThatWasStoppedGoesOnAndGivesTheSameModel) {
  json text = StudyText();
  text["rows"].erase(1);
  const auto whole = Run(text, "whole");
  ASSERT_TRUE(whole.ok()) << whole.status();
  auto left = std::make_shared<int>(1);
  const auto stopped = Run(text, "parts", false, {}, [left] { return (*left)-- <= 0; });
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_TRUE(stopped->interrupted);
  EXPECT_EQ(stopped->run, 0);
  EXPECT_THAT(ReadText("parts/study.md"), HasSubstr("not run"));

  json longer = text;
  longer["base"]["steps"] = 4;
  const auto changed = Run(longer, "parts", true);
  EXPECT_EQ(base::GetErrorInfo(changed.status()).reason, "STUDY_DIFFERS") << changed.status();

  const auto resumed = Run(text, "parts", true);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(resumed->results[0]->images, whole->results[0]->images);
  EXPECT_EQ(resumed->results[0]->embedding_space, whole->results[0]->embedding_space);
  EXPECT_EQ(resumed->results[0]->held_out->hard.map, whole->results[0]->held_out->hard.map);
  EXPECT_EQ(Weights("parts/row_01"), Weights("whole/row_01"));
}

TEST_F(StudyTest, AFailureNamesTheRowAndASetThatIsNotThereIsNoticedFirst) {
  json text = StudyText();
  text["rows"][1]["train"] = {{"freeze", {"nothing."}}};
  const auto frozen = Run(text, "fails", false, {1});
  EXPECT_THAT(std::string(frozen.status().message()), HasSubstr("row 2 (\"global\"): no parameter of the model"));
  text["measure"]["images"] = Path("nowhere");
  EXPECT_FALSE(Run(text, "not_begun").ok());
  EXPECT_FALSE(std::filesystem::exists(Path("not_begun")));
}

}  // namespace
}  // namespace sightline::train
