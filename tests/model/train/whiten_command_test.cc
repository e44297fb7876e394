#include <torch/torch.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/image/decode.h"
#include "model/model.h"
#include "model/train/command.h"
#include "model/train/descriptor_source.h"
#include "model/weights/safetensors.h"
#include "tests/model/train/small_model.h"

namespace sightline::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class WhitenCommandTest : public SmallModelTest {
 protected:
  // Runs the verb; what it printed.
  static std::string Whiten(std::vector<std::string> arguments) {
    ::testing::internal::CaptureStdout();
    const absl::Status status = WhitenCommand().run(arguments);
    const std::string printed = ::testing::internal::GetCapturedStdout();
    EXPECT_TRUE(status.ok()) << status;
    return printed;
  }
  static std::string Reason(const std::vector<std::string>& arguments) {
    return base::GetErrorInfo(WhitenCommand().run(arguments)).reason;
  }

  static std::vector<float> Embed(model::Model& model, const std::string& path) {
    const auto bytes = base::ReadFile(path, 1 << 20);
    const auto image = image::Decode(*bytes, {}, {});
    const auto prepared = model.Prepare(*image, std::nullopt);
    const model::PreparedImage* const batch[] = {&*prepared};
    const auto embeddings = model.Embed(batch);
    EXPECT_TRUE(embeddings.ok()) << embeddings.status();
    return embeddings->front().descriptor;
  }

  // Every view of the first thing through both models: the second's descriptor is L2(P (x - m)) of the first's.
  static void ExpectAppliesWhatItStored(const std::string& whitened_folder, int64_t dim) {
    const auto plain = model::Model::Load(Path("model"), {});
    const auto whitened = model::Model::Load(whitened_folder, {});
    ASSERT_TRUE(whitened.ok()) << whitened.status();
    EXPECT_FALSE((*whitened)->info().untrained);
    EXPECT_EQ((*whitened)->info().descriptor_dim, dim);
    EXPECT_NE((*whitened)->info().embedding_space, (*plain)->info().embedding_space);
    EXPECT_EQ((*whitened)->info().token_space, (*plain)->info().token_space);
    const auto file = base::MappedFile::Open(whitened_folder + "/weights.safetensors", 1 << 30);
    const auto stored = weights::ParseSafetensors((*file)->bytes(), {});
    std::map<std::string, torch::Tensor> tensors;
    for (const weights::TensorView& view : stored->tensors) {
      torch::Tensor tensor = torch::empty(view.shape);
      std::memcpy(tensor.data_ptr<float>(), view.bytes.data(), view.bytes.size());
      tensors[view.name] = tensor;
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "things" / "instance_000")) {
      const std::vector<float> before = Embed(**plain, entry.path().string());
      const std::vector<float> after = Embed(**whitened, entry.path().string());
      const torch::Tensor x = torch::tensor(before, torch::kDouble) - tensors["whitening.mean"];
      const torch::Tensor v = tensors["whitening.projection"].to(torch::kDouble).matmul(x);
      const torch::Tensor want = v / v.norm();
      EXPECT_LT((want - torch::tensor(after, torch::kDouble)).abs().max().item<double>(), 1e-4);
    }
  }
};

TEST_F(WhitenCommandTest, FitsPcaToAFolderOfImages) {
  const std::string out = Path("pca");
  const std::string printed = Whiten({Path("model"), "--out", out, "--images", Path("things"), "--dim", "6"});
  EXPECT_THAT(printed, HasSubstr("1 files are no images and were skipped"));
  EXPECT_THAT(printed, HasSubstr("6 dimensions instead of 24"));
  ExpectAppliesWhatItStored(out, 6);
  const json written = json::parse(std::ifstream(out + "/model.json"));
  EXPECT_EQ(written["name"], "pca");
  EXPECT_EQ(written["whitening"], (json{{"dim", 6}}));
  EXPECT_EQ(written["provenance"], "Made by a test. Whitening to 6 dimensions (pca) fitted to 24 images.");
  // Once is enough, and a model is not written over.
  EXPECT_EQ(Reason({out, "--out", Path("again"), "--images", Path("things")}), "WHITENED_ALREADY");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", Path("things")}), "FOLDER_EXISTS");
  Whiten({Path("model"), "--out", out, "--images", Path("things"), "--dim", "5", "--force"});
  ExpectAppliesWhatItStored(out, 5);
}

TEST_F(WhitenCommandTest, LearnsFromFolders) {
  const std::string out = Path("learned");
  const std::string printed =
      Whiten({Path("model"), "--out", out, "--images", Path("things"), "--dim=10", "--method=learned"});
  EXPECT_THAT(printed, HasSubstr("60 pairs of 24 images"));  // 4 things, 6 * 5 / 2 pairs each
  ExpectAppliesWhatItStored(out, 10);
}

TEST_F(WhitenCommandTest, FitsToAnExportedCollection) {
  const auto loaded = model::Model::Load(Path("model"), {});
  const auto source = EmbedFolder(**loaded, Path("things"));
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_EQ(source->descriptors.count, 24);
  const torch::Tensor rows = torch::tensor(source->embedded).view({24, kDim});
  const std::map<std::string, std::string> metadata = {{"sightline_export", "1"},
                                                       {"embedding_space", (*loaded)->info().embedding_space}};
  WriteTensors(Path("shop.safetensors"), {{"descriptors", rows}}, metadata);
  Whiten({Path("model"), "--out", Path("from_export"), "--export", Path("shop.safetensors"), "--dim=6"});
  ExpectAppliesWhatItStored(Path("from_export"), 6);
  // The same descriptors, the same whitening.
  Whiten({Path("model"), "--out", Path("from_images"), "--images", Path("things"), "--dim=6"});
  const auto one = base::ReadFile(Path("from_export") + "/weights.safetensors", 1 << 30);
  const auto other = base::ReadFile(Path("from_images") + "/weights.safetensors", 1 << 30);
  EXPECT_EQ(*one, *other);

  WriteTensors(Path("foreign.safetensors"), {{"descriptors", rows}},
               {{"sightline_export", "1"}, {"embedding_space", "0000"}});
  EXPECT_EQ(Reason({Path("model"), "--out", Path("no"), "--export", Path("foreign.safetensors")}), "SPACE_MISMATCH");
  WriteTensors(Path("narrow.safetensors"), {{"descriptors", rows.narrow(1, 0, 5).contiguous()}}, metadata);
  EXPECT_EQ(Reason({Path("model"), "--out", Path("no"), "--export", Path("narrow.safetensors")}), "EXPORT_INVALID");
  EXPECT_EQ(Reason({Path("model"), "--out", Path("no"), "--export", Path("model") + "/weights.safetensors"}),
            "EXPORT_INVALID");
  // Records say what belongs together.
  std::string records;
  for (int i = 0; i < 24; ++i) {
    json record = {{"id", std::to_string(i)}, {"attributes", {{"thing", i / 6}}}};
    if (i == 23) record["attributes"] = json::object();
    records += record.dump() + "\n";
  }
  WriteTensors(Path("grouped.safetensors"), {{"descriptors", rows}}, metadata, records);
  const std::string printed = Whiten({Path("model"), "--out", Path("grouped"), "--export", Path("grouped.safetensors"),
                                      "--dim=6", "--method=learned", "--group_by=thing"});
  EXPECT_THAT(printed, HasSubstr("55 pairs of 24 images"));  // 3 * 15 and, with one of six left out, 10
  ExpectAppliesWhatItStored(Path("grouped"), 6);
  WriteTensors(Path("short.safetensors"), {{"descriptors", rows}}, metadata, "{\"id\": \"a\"}\n");
  EXPECT_EQ(Reason({Path("model"), "--out", Path("no"), "--export", Path("short.safetensors"), "--method=learned",
                    "--group_by=thing"}),
            "EXPORT_INVALID");
  // Without groups there is nothing to learn from.
  EXPECT_EQ(Reason({Path("model"), "--out", Path("no"), "--export", Path("shop.safetensors"), "--method=learned"}),
            "WHITENING_PAIRS");
  EXPECT_FALSE(std::filesystem::exists(Path("no")));
}

TEST_F(WhitenCommandTest, RefusesWhatItCannotDo) {
  const std::string out = Path("refused");
  EXPECT_EQ(Reason({}), "ARGUMENT_MISSING");
  EXPECT_EQ(Reason({Path("model"), "--images", Path("things")}), "SETTING_MISSING");
  EXPECT_EQ(Reason({Path("model"), "--out", out}), "SETTING_MISSING");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", "a", "--export", "b"}), "SETTING_MISSING");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", "a", "--method", "zca"}), "SETTING_INVALID");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", "a", "--threads", "-1"}), "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", Path("nothing")}), "FOLDER_UNREADABLE");
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", Path("things"), "--dim", "25"}), "WHITENING_DIM");
  // 24 images vary in 23 directions.
  EXPECT_EQ(Reason({Path("model"), "--out", out, "--images", Path("things")}), "WHITENING_DIM");
  EXPECT_EQ(Reason({SIGHTLINE_TEST_MODELS "/dtop_seeded", "--out", out, "--images", Path("things")}),
            "WEIGHTS_MISSING");
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(WhitenCommandTest, AModelWithoutItsWhiteningIsRefused) {
  json edited = SmallModel();
  edited["whitening"] = {{"dim", 6}};
  std::filesystem::create_directories(folder_ / "lost");
  std::ofstream(folder_ / "lost" / "model.json") << edited;
  EXPECT_EQ(base::GetErrorInfo(model::Model::Load(Path("lost"), {.allow_untrained = true}).status()).reason,
            "WEIGHTS_MISSING");
  std::filesystem::copy_file(folder_ / "model" / "weights.safetensors", folder_ / "lost" / "weights.safetensors");
  const auto loaded = model::Model::Load(Path("lost"), {});
  EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("whitening.projection"));
}

TEST(GroupPairsTest, PairsWithinGroupsOnly) {
  EXPECT_EQ(GroupPairs({"a", "", "b", "a", "", "a"}), (std::vector<Pair>{{0, 3}, {0, 5}, {3, 5}}));
  EXPECT_TRUE(GroupPairs({"", "", "b"}).empty());
  EXPECT_EQ(GroupPairs(std::vector<std::string>(100, "x")).size(), 99u * 8 - 28);
}

}  // namespace
}  // namespace sightline::train
