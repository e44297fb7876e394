#include "model/model.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>
#include <string>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/tokens/projection.h"

namespace sightline::model {
namespace {

using ::testing::HasSubstr;

std::string SeededFolder() { return SIGHTLINE_TEST_MODELS "/dtop_seeded"; }

image::Image Noise(int width, int height, unsigned seed) {
  image::Image image{width, height, std::vector<uint8_t>(3u * width * height), width, height};
  std::mt19937 random(seed);
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random());
  return image;
}

// The same model.json with one text replaced, in a folder of its own.
class EditedModel {
 public:
  EditedModel(const std::string& from, const std::string& to) {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("model_" + std::to_string(++counter_) + "_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    std::stringstream text;
    text << std::ifstream(SeededFolder() + "/model.json").rdbuf();
    std::string json = text.str();
    const size_t at = json.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) json.replace(at, from.size(), to);
    std::ofstream(folder_ / "model.json") << json;
  }
  ~EditedModel() { std::filesystem::remove_all(folder_); }
  std::string folder() const { return folder_.string(); }

 private:
  static int counter_;
  std::filesystem::path folder_;
};
int EditedModel::counter_ = 0;

class TinyModel : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto loaded = Model::Load(SeededFolder(), {.allow_untrained = true, .intra_op_threads = 2});
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    model_ = std::move(*loaded);
  }
  static void TearDownTestSuite() { model_.reset(); }

  static PreparedImage Prepare(const image::Image& image) {
    auto prepared = model_->Prepare(image, std::nullopt);
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    return *std::move(prepared);
  }

  static std::unique_ptr<Model> model_;
};
std::unique_ptr<Model> TinyModel::model_;

// What half precision can move a sum of numbers that sum to 1 by.
constexpr double kHalfTolerance = 5e-4;

double Norm(const std::vector<float>& v) { return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0)); }

TEST(ModelLoadTest, RefusesToRunUntrainedUnlessAllowed) {
  const auto loaded = Model::Load(SeededFolder(), {});
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::GetErrorInfo(loaded.status()).reason, "WEIGHTS_MISSING");
  EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("--allow_untrained"));
}

TEST(ModelLoadTest, NamesAFolderThatIsNotThere) {
  EXPECT_FALSE(Model::Load("/nonexistent/model", {.allow_untrained = true}).ok());
}

TEST(ModelLoadTest, WeighsTokensByRollout) {
  const EditedModel edited("\"cls_attention\"", "\"rollout\"");
  const auto loaded = Model::Load(edited.folder(), {.allow_untrained = true, .intra_op_threads = 1});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto prepared = (*loaded)->Prepare(Noise(320, 240, 1), std::nullopt);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const PreparedImage* const batch[] = {&*prepared};
  const auto embeddings = (*loaded)->Embed(batch);
  ASSERT_TRUE(embeddings.ok()) << embeddings.status();
  const std::vector<float>& importance = embeddings->front().tokens.importance;
  ASSERT_EQ(importance.size(), 11u * 14);
  EXPECT_NEAR(std::accumulate(importance.begin(), importance.end(), 0.0), 1, kHalfTolerance);
  const auto [least, most] = std::minmax_element(importance.begin(), importance.end());
  EXPECT_LT(0, *least);
  EXPECT_LT(*least, *most);
}

TEST(ModelLoadTest, RefusesAStoredProjectionWithoutWeights) {
  const EditedModel edited("{\"type\": \"orthonormal\", \"seed\": 1}", "{\"type\": \"stored\"}");
  EXPECT_EQ(Model::Load(edited.folder(), {.allow_untrained = true}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ModelLoadTest, RefusesGarbageAsWeights) {
  const EditedModel edited("\"seed\": 1", "\"seed\": 2");
  std::ofstream(edited.folder() + "/weights.safetensors") << "garbage, not weights";
  const auto loaded = Model::Load(edited.folder(), {.allow_untrained = true});
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::GetErrorInfo(loaded.status()).reason, "MALFORMED_WEIGHTS");
}

TEST_F(TinyModel, SaysWhatItIs) {
  const ModelInfo& info = model_->info();
  EXPECT_EQ(info.name, "dtop_seeded");
  EXPECT_EQ(info.architecture, "hybrid_vit + dtop");
  EXPECT_TRUE(info.untrained);
  EXPECT_EQ(info.descriptor_dim, 256);
  EXPECT_LT(info.parameters, 8'000'000);
  EXPECT_GT(info.parameters, 6'000'000);
  EXPECT_EQ(info.embedding_space.size(), 64u);
  EXPECT_EQ(info.token_space.size(), 64u);
  EXPECT_NE(info.embedding_space, info.token_space);
  EXPECT_EQ(info.numeric, "fp32/cpu");
}

TEST_F(TinyModel, EmbedsWithNormalisedOutputs) {
  const PreparedImage prepared = Prepare(Noise(320, 240, 1));
  EXPECT_EQ(prepared.bucket, "224x176") << "4:3 takes the bucket 224 x 168, rounded to multiples of 16";
  const PreparedImage* const batch[] = {&prepared};
  const auto embeddings = model_->Embed(batch);
  ASSERT_TRUE(embeddings.ok()) << embeddings.status();
  ASSERT_EQ(embeddings->size(), 1u);
  const Embedding& one = embeddings->front();
  ASSERT_EQ(one.descriptor.size(), 256u);
  EXPECT_NEAR(Norm(one.descriptor), 1, 1e-5);
  EXPECT_EQ(one.tokens.height, 11);
  EXPECT_EQ(one.tokens.width, 14);
  EXPECT_EQ(one.tokens.dim, 64);
  ASSERT_EQ(one.tokens.values.size(), 11u * 14 * 64);
  ASSERT_EQ(one.tokens.importance.size(), 154u);
  EXPECT_NEAR(std::accumulate(one.tokens.importance.begin(), one.tokens.importance.end(), 0.0), 1, kHalfTolerance);
  EXPECT_NEAR(Norm(one.tokens.centre), 1, kHalfTolerance);
  for (size_t t = 0; t < 154; ++t) {
    double squares = 0;
    for (size_t i = 0; i < 64; ++i) {
      const double value = one.tokens.scales[t] * one.tokens.values[t * 64 + i];
      squares += value * value;
    }
    EXPECT_NEAR(std::sqrt(squares), 1, 1e-6);
  }
}

// The tokens of one image of noise by dtop_seeded with another precision.
PatchTokens TokensIn(const std::string& precision, const LoadOptions& options) {
  const EditedModel edited("\"max_cells\": 196", "\"max_cells\": 196, \"precision\": \"" + precision + "\"");
  const auto model = Model::Load(edited.folder(), options);
  EXPECT_TRUE(model.ok()) << model.status();
  const auto prepared = (*model)->Prepare(Noise(320, 240, 1), std::nullopt);
  const PreparedImage* const batch[] = {&*prepared};
  const auto embeddings = (*model)->Embed(batch);
  EXPECT_TRUE(embeddings.ok()) << embeddings.status();
  return embeddings->front().tokens;
}

TEST(TokenPrecisionTest, FloatsAreUnitVectorsCloseToTheCodes) {
  const LoadOptions options{.allow_untrained = true, .intra_op_threads = 2};
  const PatchTokens codes = TokensIn("int8", options);
  for (const auto& [precision, tolerance] : {std::pair("float32", 1e-6), std::pair("float16", 5e-4)}) {
    SCOPED_TRACE(precision);
    const PatchTokens floats = TokensIn(precision, options);
    EXPECT_TRUE(floats.values.empty());
    EXPECT_TRUE(floats.scales.empty());
    ASSERT_EQ(floats.floats.size(), codes.values.size());
    for (size_t t = 0; t < codes.scales.size(); ++t) {
      double squares = 0, cosine = 0;
      for (size_t i = t * 64; i < (t + 1) * 64; ++i) {
        squares += static_cast<double>(floats.floats[i]) * floats.floats[i];
        cosine += static_cast<double>(floats.floats[i]) * codes.scales[t] * codes.values[i];
      }
      EXPECT_NEAR(std::sqrt(squares), 1, tolerance);
      EXPECT_GT(cosine, 0.999);
    }
  }
}

TEST(TokenPrecisionTest, WholeTokensAreThoseBeforeTheProjection) {
  const PatchTokens whole = TokensIn("int8", {.allow_untrained = true, .intra_op_threads = 2, .whole_tokens = true});
  const PatchTokens projected = TokensIn("float32", {.allow_untrained = true, .intra_op_threads = 2});
  EXPECT_EQ(whole.dim, 192);
  ASSERT_EQ(whole.precision, TokenPrecision::kFloat32);
  const std::vector<float> projection = OrthonormalProjection(192, 64, 1);  // dtop_seeded's
  for (size_t t = 0; t < 154; ++t) {
    std::vector<double> token(64);
    for (size_t r = 0; r < 192; ++r) {
      for (size_t c = 0; c < 64; ++c)
        token[c] += static_cast<double>(whole.floats[t * 192 + r]) * projection[r * 64 + c];
    }
    const double norm = std::sqrt(std::inner_product(token.begin(), token.end(), token.begin(), 0.0));
    for (size_t c = 0; c < 64; ++c) ASSERT_NEAR(token[c] / norm, projected.floats[t * 64 + c], 1e-5);
  }
}

TEST_F(TinyModel, IsDeterministicAndIndependentOfTheBatch) {
  std::vector<PreparedImage> images;
  for (unsigned seed = 1; seed <= 3; ++seed) images.push_back(Prepare(Noise(300, 300, seed)));
  const PreparedImage* const all[] = {&images[0], &images[1], &images[2]};
  const auto together = model_->Embed(all);
  const auto again = model_->Embed(all);
  ASSERT_TRUE(together.ok() && again.ok());
  for (size_t i = 0; i < images.size(); ++i) {
    EXPECT_EQ((*together)[i].descriptor, (*again)[i].descriptor);
    const PreparedImage* const single[] = {&images[i]};
    const auto alone = model_->Embed(single);
    ASSERT_TRUE(alone.ok());
    for (size_t d = 0; d < 256; ++d) {
      ASSERT_NEAR((*together)[i].descriptor[d], alone->front().descriptor[d], 1e-5) << "image " << i << " value " << d;
    }
    for (size_t c = 0; c < (*together)[i].tokens.values.size(); ++c) {
      ASSERT_NEAR((*together)[i].tokens.values[c], alone->front().tokens.values[c], 1);
    }
  }
  EXPECT_NE((*together)[0].descriptor, (*together)[1].descriptor);
}

TEST_F(TinyModel, CropsBeforeItResizes) {
  image::Image image = Noise(200, 100, 5);
  const auto half = model_->Prepare(image, image::CropBox{0, 0, 0.5, 1, image::CropBox::Unit::kFraction});
  ASSERT_TRUE(half.ok()) << half.status();
  EXPECT_EQ(half->bucket, "224x224");
  EXPECT_FALSE(model_->Prepare(image, image::CropBox{0.5, 0.5, 0.5, 0.5, image::CropBox::Unit::kFraction}).ok());
}

TEST_F(TinyModel, RefusesMixedAndForeignBatches) {
  const PreparedImage wide = Prepare(Noise(200, 100, 1));
  const PreparedImage square = Prepare(Noise(100, 100, 1));
  const PreparedImage* const mixed[] = {&wide, &square};
  EXPECT_EQ(base::GetErrorInfo(model_->Embed(mixed).status()).reason, "MIXED_BATCH");
  PreparedImage broken = square;
  broken.planes[0].chw.pop_back();
  const PreparedImage* const foreign[] = {&broken};
  EXPECT_EQ(base::GetErrorInfo(model_->Embed(foreign).status()).reason, "FOREIGN_IMAGE");
  EXPECT_TRUE(model_->Embed({}).ok());
}

TEST_F(TinyModel, SpaceChangesWithWhatDecidesADescriptorAndNothingElse) {
  const auto load = [](const std::string& from, const std::string& to) {
    const EditedModel edited(from, to);
    auto loaded = Model::Load(edited.folder(), {.allow_untrained = true, .intra_op_threads = 1});
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return (*loaded)->info();
  };
  const ModelInfo& base = model_->info();
  const std::vector<std::pair<std::string, std::string>> decides = {
      {"\"seed\": 1,", "\"seed\": 2,"},                             // every weight
      {"\"mean\": [0.5, 0.5, 0.5]", "\"mean\": [0.5, 0.5, 0.25]"},  //
      {"\"scales\": [1]", "\"scales\": [1, 0.5]"},                  //
      {"\"aspect_ratios\": [0.5, ", "\"aspect_ratios\": ["},        //
      {"\"fuse\": \"fast_norm\"", "\"fuse\": \"softmax\""},         //
  };
  for (const auto& [from, to] : decides) {
    EXPECT_NE(load(from, to).embedding_space, base.embedding_space) << to;
  }
  const std::vector<std::pair<std::string, std::string>> irrelevant = {
      {"\"name\": \"dtop_seeded\"", "\"name\": \"other\""},
      {"\"provenance\": \"A", "\"provenance\": \"Another"},
      {"\"seed\": 1,", "\"seed\": 1, \"rerank\": {\"method\": \"off\", \"mass\": 0.5},"},
      {"\"max_cells\": 196", "\"max_cells\": 196, \"precision\": \"int8\""},
  };
  for (const auto& [from, to] : irrelevant) {
    const ModelInfo info = load(from, to);
    EXPECT_EQ(info.embedding_space, base.embedding_space) << to;
    EXPECT_EQ(info.token_space, base.token_space) << to;
  }
  const std::vector<std::pair<std::string, std::string>> token_settings = {
      {"\"max_cells\": 196", "\"max_cells\": 49"},
      {"{\"type\": \"orthonormal\", \"seed\": 1}", "{\"type\": \"orthonormal\", \"seed\": 2}"},
      {"\"cls_attention\"", "\"centre\""},
      {"\"max_cells\": 196", "\"max_cells\": 196, \"precision\": \"float16\""},
  };
  for (const auto& [from, to] : token_settings) {
    const ModelInfo info = load(from, to);
    EXPECT_EQ(info.embedding_space, base.embedding_space) << to;
    EXPECT_NE(info.token_space, base.token_space) << to;
  }
}

TEST_F(TinyModel, PrintsItsSpeed) {
  const PreparedImage prepared = Prepare(Noise(640, 480, 3));
  const PreparedImage* const batch[] = {&prepared};
  double best = INFINITY;
  for (int i = 0; i < 10; ++i) {
    const auto start = std::chrono::steady_clock::now();
    ASSERT_TRUE(model_->Embed(batch).ok());
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::printf("dtop_seeded, one image, 2 threads: %.1f ms\n", best);
}

}  // namespace
}  // namespace sightline::model
