// `sightline-train tokens`: what it writes is what the model then does, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/calibration/calibration.h"
#include "model/model.h"
#include "model/tokens/projection.h"
#include "model/train/command.h"
#include "model/train/image_folder.h"
#include "tests/model/train/small_model.h"

namespace sightline::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class TokensCommandTest : public SmallModelTest {
 protected:
  static std::string Tokens(const std::vector<std::string>& arguments) {
    ::testing::internal::CaptureStdout();
    const absl::Status status = TokensCommand().run(arguments);
    const std::string printed = ::testing::internal::GetCapturedStdout();
    EXPECT_TRUE(status.ok()) << status;
    return printed;
  }
  static std::string Reason(const std::vector<std::string>& arguments) {
    return base::GetErrorInfo(TokensCommand().run(arguments)).reason;
  }

  static std::vector<model::Embedding> EmbedThings(const std::string& folder, const model::LoadOptions& options = {}) {
    const auto model = model::Model::Load(folder, options);
    EXPECT_TRUE(model.ok()) << model.status();
    std::vector<model::Embedding> embeddings;
    const auto add = [&](const std::filesystem::path&, model::Embedding one) { embeddings.push_back(std::move(one)); };
    EXPECT_TRUE(EmbedEach(**model, Path("things"), 1000, add).ok());
    return embeddings;
  }

  static torch::Tensor StoredProjection(const std::string& folder) {
    const auto file = base::MappedFile::Open(folder + "/weights.safetensors", 1 << 30);
    const auto stored = weights::ParseSafetensors((*file)->bytes(), {});
    for (const weights::TensorView& view : stored->tensors) {
      if (view.name != "tokens.projection") continue;
      torch::Tensor tensor = torch::empty(view.shape);
      std::memcpy(tensor.data_ptr<float>(), view.bytes.data(), view.bytes.size());
      return tensor.to(torch::kDouble);
    }
    ADD_FAILURE() << folder << " stores no projection";
    return torch::zeros({1, 1}, torch::kDouble);
  }

  // Tokens of the model in `folder` are those of the backbone through the projection it stores.
  static void ExpectAppliesWhatItStored(const std::string& folder, int64_t dim) {
    const torch::Tensor projection = StoredProjection(folder);
    ASSERT_EQ(projection.size(0), kDim);
    ASSERT_EQ(projection.size(1), dim);
    const auto gram = projection.t().matmul(projection);
    EXPECT_LT((gram - torch::eye(dim, torch::kDouble)).abs().max().item<double>(), 1e-5) << "columns are orthonormal";
    const std::vector<model::Embedding> whole = EmbedThings(Path("model"), {.whole_tokens = true});
    const std::vector<model::Embedding> projected = EmbedThings(folder);
    ASSERT_EQ(whole.size(), projected.size());
    for (size_t image = 0; image < whole.size(); ++image) {
      EXPECT_EQ(whole[image].descriptor, projected[image].descriptor);
      const model::PatchTokens& codes = projected[image].tokens;
      ASSERT_EQ(codes.dim, dim);
      const torch::Tensor rows = torch::tensor(whole[image].tokens.floats, torch::kDouble).view({-1, kDim});
      torch::Tensor want = rows.matmul(projection);
      want = want / want.norm(2, 1, true);
      for (int64_t t = 0; t < codes.height * codes.width; ++t) {
        for (int64_t i = 0; i < dim; ++i) {
          const double got = codes.scales[static_cast<size_t>(t)] * codes.values[static_cast<size_t>(t * dim + i)];
          ASSERT_NEAR(got, want[t][i].item<double>(), 0.01);
        }
      }
    }
  }

  // An export of the things' tokens as `model` makes them.
  static void WriteExport(const std::string& path, const std::string& token_space, weights::DType dtype,
                          int cells_too_many = 0) {
    const std::vector<model::Embedding> embeddings = EmbedThings(Path("model"));
    std::vector<int32_t> grids;
    std::string codes;
    std::vector<float> floats;
    for (const model::Embedding& one : embeddings) {
      grids.insert(grids.end(), {one.tokens.height, one.tokens.width});
      codes.append(reinterpret_cast<const char*>(one.tokens.values.data()), one.tokens.values.size());
      for (size_t i = 0; i < one.tokens.values.size(); ++i) {
        floats.push_back(one.tokens.scales[i / 8] * one.tokens.values[i]);
      }
    }
    grids.back() += cells_too_many;
    const auto rows = static_cast<int64_t>(codes.size()) / 8;
    const absl::string_view bytes =
        dtype == weights::DType::kI8
            ? absl::string_view(codes)
            : absl::string_view(reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float));
    const std::vector<weights::TensorView> views = {
        {"token_grids",
         weights::DType::kI32,
         {static_cast<int64_t>(grids.size()) / 2, 2},
         {reinterpret_cast<const char*>(grids.data()), grids.size() * sizeof(int32_t)}},
        {"token_values", dtype, {rows, 8}, bytes}};
    const auto file = weights::SerializeSafetensors(views, {{"sightline_export", "1"}, {"token_space", token_space}});
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE(base::WriteFileDurably(path, *file).ok());
  }

  static std::string TokenSpace(const std::string& folder) {
    const auto model = model::Model::Load(folder, {});
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? (*model)->info().token_space : "";
  }
};

TEST_F(TokensCommandTest, FitsToAFolderOfImages) {
  const std::string out = Path("tokens");
  const std::string printed = Tokens({Path("model"), "--out", out, "--images", Path("things")});
  EXPECT_THAT(printed, HasSubstr("1 files are no images and were skipped"));
  EXPECT_THAT(printed, HasSubstr("tokens of 8 dimensions instead of 8, "));
  EXPECT_THAT(printed, HasSubstr("cosines between patches of images left out: 0."));
  EXPECT_THAT(printed, HasSubstr("with the projection before: 0."));
  ExpectAppliesWhatItStored(out, 8);
  const json written = json::parse(std::ifstream(out + "/model.json"));
  EXPECT_EQ(written["name"], "tokens");
  EXPECT_EQ(written["tokens"]["dim"], 8);
  EXPECT_EQ(written["tokens"]["projection"], (json{{"type", "stored"}}));
  // 24 images, of which every fifth is left out, of 3x3 tokens.
  EXPECT_EQ(written["provenance"],
            "Made by a test. Patch tokens projected to 8 dimensions (pca) fitted to 180 tokens of 24 images.");
  const auto before = model::Model::Load(Path("model"), {});
  const auto after = model::Model::Load(out, {});
  EXPECT_EQ((*after)->info().embedding_space, (*before)->info().embedding_space);
  EXPECT_NE((*after)->info().token_space, (*before)->info().token_space);
  // The same images give the same model, and a stored projection is replaced by the next.
  Tokens({Path("model"), "--out", Path("tokens_again"), "--images", Path("things")});
  EXPECT_EQ(TokenSpace(Path("tokens_again")), (*after)->info().token_space);
  Tokens({out, "--out", Path("tokens_of_tokens"), "--images", Path("things"), "--dim=5"});
  ExpectAppliesWhatItStored(Path("tokens_of_tokens"), 5);
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", Path("things")}), "FOLDER_EXISTS");
  Tokens({Path("model"), "--out", out, "--images", Path("things"), "--dim", "3", "--force"});
  ExpectAppliesWhatItStored(out, 3);
}

TEST_F(TokensCommandTest, FindsFewerDimensionsInAnExport) {
  const std::string space = TokenSpace(Path("model"));
  WriteExport(Path("codes.safetensors"), space, weights::DType::kI8);
  WriteExport(Path("floats.safetensors"), space, weights::DType::kF32);
  for (const std::string kind : {"codes", "floats"}) {
    const std::string out = Path("from_" + kind);
    const std::string printed =
        Tokens({Path("model"), "--out", out, "--export", Path(kind + ".safetensors"), "--dim", "5"});
    EXPECT_THAT(printed, HasSubstr("tokens of 5 dimensions instead of 8, "));
    EXPECT_THAT(printed, Not(HasSubstr("the projection before")));
    ExpectAppliesWhatItStored(out, 5);
    // Within the span of the projection before.
    const std::vector<float> present = model::OrthonormalProjection(kDim, 8, 1);
    const torch::Tensor p = torch::tensor(present, torch::kDouble).view({kDim, 8});
    const torch::Tensor fitted = StoredProjection(out);
    EXPECT_LT((p.matmul(p.t()).matmul(fitted) - fitted).abs().max().item<double>(), 1e-5);
  }
}

TEST_F(TokensCommandTest, KeepsTheCalibrationOfTheDescriptors) {
  const auto model = model::Model::Load(Path("model"), {});
  std::filesystem::copy(folder_ / "model", folder_ / "calibrated", std::filesystem::copy_options::recursive);
  const std::string text = model::CalibrationText(
      {.embedding_space = (*model)->info().embedding_space, .images = 3, .inputs = {{"a", {.scale = 0.5f}}}});
  std::ofstream(folder_ / "calibrated" / std::string(model::kCalibrationFile)) << text;
  Tokens({Path("calibrated"), "--out", Path("calibrated_tokens"), "--images", Path("things")});
  const auto copied = base::ReadFile(Path("calibrated_tokens") + "/" + std::string(model::kCalibrationFile), 1 << 20);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_EQ(*copied, text);
}

TEST_F(TokensCommandTest, RefusesWhatItCannotDo) {
  const std::string out = Path("refused");
  const std::string things = Path("things");
  EXPECT_EQ(Reason({}), "ARGUMENT_MISSING");
  EXPECT_EQ(Reason({Path("model"), "--images", things}), "SETTING_MISSING");
  EXPECT_EQ(Reason({Path("model"), "--out", out}), "SETTING_MISSING");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", "a", "--export", "b"}), "SETTING_MISSING");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--export", "b"}), "SETTING_MISSING");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", "a", "--threads", "-1"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", Path("nothing")}), "FOLDER_UNREADABLE");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", things, "--dim", "25"}), "TOKENS_DIM");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", things, "--dim", "-1"}), "TOKENS_DIM");
  EXPECT_EQ(Reason({SIGHTLINE_TEST_MODELS "/dtop_seeded", "--out", out, "--images", things}), "WEIGHTS_MISSING");
  EXPECT_EQ(Reason({std::string(SIGHTLINE_ZOO) + "/resnet50_diml", "--out", out, "--images", things}),
            "TOKENS_OF_HEAD");
  std::filesystem::create_directories(Path("empty"));
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", Path("empty")}), "TOKENS_TOO_FEW");
  std::filesystem::create_directories(Path("four"));
  int copied = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "things" / "instance_000")) {
    if (++copied <= 4) std::filesystem::copy(entry.path(), folder_ / "four" / entry.path().filename());
  }
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", Path("four")}), "TOKENS_TOO_FEW");

  const std::string space = TokenSpace(Path("model"));
  const auto of_export = [&](const std::string& file, const std::string& dim = "4") {
    return Reason({Path("model"), "--out", out, "--export", file, "--dim", dim});
  };
  WriteExport(Path("good"), space, weights::DType::kI8);
  EXPECT_EQ(of_export(Path("good"), "9"), "TOKENS_DIM");
  EXPECT_EQ(of_export(Path("good"), "0"), "TOKENS_DIM");
  WriteExport(Path("foreign"), "0000", weights::DType::kI8);
  EXPECT_EQ(of_export(Path("foreign")), "SPACE_MISMATCH");
  WriteExport(Path("long_grid"), space, weights::DType::kI8, 1);
  EXPECT_EQ(of_export(Path("long_grid")), "EXPORT_INVALID");
  WriteExport(Path("short_grid"), space, weights::DType::kI8, -1);
  EXPECT_EQ(of_export(Path("short_grid")), "EXPORT_INVALID");
  WriteExport(Path("negative_grid"), space, weights::DType::kI8, -9);
  EXPECT_EQ(of_export(Path("negative_grid")), "EXPORT_INVALID");
  EXPECT_EQ(of_export(Path("model") + "/weights.safetensors"), "EXPORT_INVALID");
  WriteTensors(Path("no_tokens"), {{"descriptors", torch::zeros({2, 3})}},
               {{"sightline_export", "1"}, {"token_space", space}});
  EXPECT_EQ(of_export(Path("no_tokens")), "EXPORT_INVALID");
  EXPECT_FALSE(std::filesystem::exists(out));
}

}  // namespace
}  // namespace sightline::train
