// Import against files that PyTorch wrote and networks that torchvision ran, and of real weights where they are at hand
// ($SIGHTLINE_SHARED_DATA).
#include "model/weights/import.h"

#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/image/decode.h"
#include "model/model.h"
#include "model/train/command.h"
#include "model/weights/checkpoint.h"
#include "model/weights/safetensors.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_bytes.h"

namespace sightline::model {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kTolerance = 1e-4;

json ReadJson(const fs::path& path) { return json::parse(std::ifstream(path)); }

void WriteText(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string Contents(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<float> Floats(const weights::TensorView& tensor) {
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  weights::ToFloats(tensor.dtype, tensor.bytes, absl::MakeSpan(values));
  return values;
}

std::vector<float> EmbedPlane(Model& model, int height, int width, std::vector<float> chw) {
  PreparedImage image;
  image.planes.push_back({height, width, std::move(chw)});
  image.bucket = "test";
  const PreparedImage* const batch[] = {&image};
  const auto embeddings = model.Embed(batch);
  EXPECT_TRUE(embeddings.ok()) << embeddings.status();
  return embeddings.ok() ? embeddings->front().descriptor : std::vector<float>();
}

// The files of make_checkpoints.py, written once for all tests.
class ImportTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<sightline::testing::TempFolder>();
    const std::string command =
        "/usr/bin/python3 " + std::string(SIGHTLINE_PARITY) + "/make_checkpoints.py " + folder_->path() + " 2>&1";
    const int status = std::system(command.c_str());
    made_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static void TearDownTestSuite() { folder_.reset(); }
  void SetUp() override {
    if (made_ == 77) GTEST_SKIP() << "python3-torch or python3-torchvision is not installed";
    ASSERT_EQ(made_, 0);
  }
  static fs::path Folder() { return folder_->path(); }

  // What an import of the case needs; the model is written to the folder "NAME.model".
  static ImportOptions OptionsFor(const std::string& name) {
    const fs::path model_json = Folder() / (name + ".model.json");
    WriteText(model_json, ReadJson(Folder() / (name + ".json"))["model"].dump());
    return {.checkpoint = (Folder() / (name + ".pth")).string(),
            .model_json = model_json.string(),
            .out = (Folder() / (name + ".model")).string()};
  }

 private:
  static std::unique_ptr<sightline::testing::TempFolder> folder_;
  static int made_;
};
std::unique_ptr<sightline::testing::TempFolder> ImportTest::folder_;
int ImportTest::made_ = -1;

TEST_F(ImportTest, GivesTheDescriptorsOfTheNetworkThatWasSaved) {
  for (const char* const name :
       {"dataparallel", "cirtorch", "vit_half", "vit_views", "vit_views_legacy", "vit_double", "swin_bfloat16"}) {
    SCOPED_TRACE(name);
    const ImportOptions options = OptionsFor(name);
    const auto report = ImportCheckpoint(options);
    ASSERT_TRUE(report.ok()) << report.status();
    for (const ImportFinding& finding : report->findings) EXPECT_FALSE(finding.problem) << finding.key << finding.what;
    ASSERT_TRUE(report->fits);
    EXPECT_FALSE(report->info.untrained);

    const json expect = ReadJson(Folder() / (std::string(name) + ".json"))["expect"];
    EXPECT_EQ(report->wrapper, expect.value("wrapper", report->wrapper));
    EXPECT_EQ(report->format, expect.value("format", report->format));
    EXPECT_EQ(report->names, expect.value("names", report->names));
    const json written = ReadJson(fs::path(options.out) / "model.json");
    const json& backbone = written["backbone"];
    EXPECT_EQ(backbone.value("grid", json()), expect.value("grid", backbone.value("grid", json())));
    const json& mean = written["preprocess"]["mean"];
    EXPECT_EQ(mean, expect.value("mean", mean));
    EXPECT_EQ(written["source"]["file"], std::string(name) + ".pth");
    EXPECT_EQ(written["source"]["sha256"], report->sha256);

    const auto model = Model::Load(options.out, {});
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ((*model)->info().embedding_space, report->info.embedding_space);
    const std::string truth = Contents(Folder() / (std::string(name) + ".safetensors"));
    const auto tensors = weights::ParseSafetensors(truth, {});
    ASSERT_TRUE(tensors.ok()) << tensors.status();
    ASSERT_EQ(tensors->tensors.size(), 2u);  // descriptor, image
    const std::vector<int64_t>& shape = tensors->tensors[1].shape;
    const std::vector<float> got =
        EmbedPlane(**model, static_cast<int>(shape[2]), static_cast<int>(shape[3]), Floats(tensors->tensors[1]));
    const std::vector<float> wanted = Floats(tensors->tensors[0]);
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], kTolerance) << i;
  }
}

TEST_F(ImportTest, ReadsTheWhiteningThatCirtorchKeepsBeside) {
  const auto checkpoint = weights::ReadCheckpoint((Folder() / "cirtorch.pth").string(), {});
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ((*checkpoint)->meta()["outputdim"], 16);
  ASSERT_EQ((*checkpoint)->meta_tensors().size(), 2u);
  const weights::TensorView& projection = (*checkpoint)->meta_tensors()[1];
  EXPECT_EQ(projection.name, "Lw.sfm.ss.P");
  EXPECT_EQ(projection.shape, (std::vector<int64_t>{8, 16}));
}

TEST_F(ImportTest, TakesAWhiteningWhenAskedTo) {
  ImportOptions options = OptionsFor("cirtorch");
  options.out = (Folder() / "whitened").string();
  options.whitening = "sfm.ms";
  EXPECT_THAT(std::string(ImportCheckpoint(options).status().message()), HasSubstr("Give one of: sfm.ss."));
  options.whitening = "sfm.ss";
  const auto report = ImportCheckpoint(options);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_TRUE(report->fits);
  const auto model = Model::Load(options.out, {});
  ASSERT_TRUE(model.ok()) << model.status();
  const std::string truth = Contents(Folder() / "cirtorch.safetensors");
  const auto tensors = weights::ParseSafetensors(truth, {});
  ASSERT_TRUE(tensors.ok());
  const std::vector<float> got = EmbedPlane(**model, 64, 64, Floats(tensors->tensors[1]));
  // The file's whitening is m = 1, P = the upper 8 rows of 2 I in reverse: v = P (x - m), L2.
  const std::vector<float> before = Floats(tensors->tensors[0]);
  ASSERT_EQ(got.size(), 8u);
  double squares = 0;
  for (size_t i = 0; i < 8; ++i) squares += std::pow(before[15 - i] - 1, 2);
  for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(got[i], (before[15 - i] - 1) / std::sqrt(squares), kTolerance) << i;
}

TEST_F(ImportTest, RefusesWhatWouldRunAndRunsNothing) {
  const auto said = [](const std::string& name) {
    const auto checkpoint = weights::ReadCheckpoint((Folder() / name).string(), {});
    return checkpoint.ok() ? "accepted" : std::string(checkpoint.status().message());
  };
  EXPECT_THAT(said("refuse_whole_model.pth"), HasSubstr("torchvision.models.vision_transformer.VisionTransformer"));
  EXPECT_THAT(said("refuse_torchscript.pth"), HasSubstr("TorchScript"));
  EXPECT_THAT(said("refuse_command_False.pth"), HasSubstr("\"posix.system\""));
  EXPECT_THAT(said("refuse_command_True.pth"), HasSubstr("\"posix.system\""));
  EXPECT_THAT(said("refuse_sparse.pth"), Not(HasSubstr("accepted")));
  EXPECT_FALSE(fs::exists(Folder() / "executed"));
}

TEST_F(ImportTest, RefusesTruncatedFiles) {
  for (const char* const name : {"vit_half.pth", "vit_views_legacy.pth"}) {
    const std::string whole = Contents(Folder() / name);
    ASSERT_TRUE(weights::ParseCheckpoint(whole, {}).ok());
    for (size_t size = 0; size < whole.size(); size += 64) {
      const auto read = weights::ParseCheckpoint(absl::string_view(whole).substr(0, size), {});
      ASSERT_FALSE(read.ok()) << name << " cut to " << size;
      ASSERT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST_F(ImportTest, WritesAllOrNothing) {
  ImportOptions options = OptionsFor("vit_double");
  options.out = (Folder() / "deeper" / "whole/").string();
  // Another architecture: every tensor of the third block is missing.
  json model = ReadJson(options.model_json);
  model["backbone"]["depth"] = 3;
  WriteText(options.model_json, model.dump());
  auto report = ImportCheckpoint(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->fits);
  EXPECT_FALSE(fs::exists(options.out));
  EXPECT_TRUE(report->findings.front().problem);
  EXPECT_THAT(report->findings.front().key, HasSubstr("backbone.blocks.2."));
  // One block less than the file has.
  model["backbone"]["depth"] = 1;
  WriteText(options.model_json, model.dump());
  report = ImportCheckpoint(options);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->fits);
  EXPECT_EQ(report->findings.front().what, "unexpected");
  options.allow_unexpected = true;
  report = ImportCheckpoint(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->fits);

  EXPECT_EQ(base::GetErrorInfo(ImportCheckpoint(options).status()).reason, "FOLDER_EXISTS");
  options.force = true;
  model["backbone"]["depth"] = 2;
  WriteText(options.model_json, model.dump());
  ASSERT_TRUE(ImportCheckpoint(options)->fits);
  EXPECT_EQ(ReadJson(fs::path(options.out) / "model.json")["backbone"]["depth"], 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(Folder() / "deeper"), {}), 1) << "nothing is left beside it";
  WriteText(fs::path(options.out) / "notes.txt", "mine");
  EXPECT_EQ(base::GetErrorInfo(ImportCheckpoint(options).status()).reason, "FOLDER_EXISTS")
      << "a folder with other files is never replaced";
}

TEST_F(ImportTest, AHeadThatIsNotThereIsNeverSilent) {
  ImportOptions options = OptionsFor("vit_double");
  json model = ReadJson(options.model_json);
  model["head"] = {{"type", "dtop"}, {"layers", 2}, {"dim", 16}, {"aspp_dim", 8}};
  WriteText(options.model_json, model.dump());
  options.out = (Folder() / "partial").string();
  EXPECT_FALSE(ImportCheckpoint(options)->fits);
  options.partial = true;
  const auto report = ImportCheckpoint(options);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_TRUE(report->fits);
  EXPECT_TRUE(report->info.untrained);
  EXPECT_EQ(ReadJson(fs::path(options.out) / "model.json")["seeded"], json{"dtop"});
  EXPECT_EQ(base::GetErrorInfo(Model::Load(options.out, {}).status()).reason, "WEIGHTS_SEEDED");
  EXPECT_TRUE((*Model::Load(options.out, {.allow_untrained = true}))->info().untrained);
}

TEST_F(ImportTest, TheCommandPrintsOneTable) {
  const ImportOptions options = OptionsFor("dataparallel");
  const train::Command command = train::ImportCommand();
  const std::string out = (Folder() / "by_command").string();
  ::testing::internal::CaptureStdout();
  EXPECT_TRUE(command.run({options.checkpoint, "--model", options.model_json, "--out", out}).ok());
  EXPECT_THAT(::testing::internal::GetCapturedStdout(),
              AllOf(HasSubstr("PyTorch legacy, tensors under state_dict"), HasSubstr("ignored: classifier"),
                    HasSubstr("module.fc.weight"), HasSubstr("(1000, 512)"), HasSubstr("embedding space ")));
  const ImportOptions other = OptionsFor("vit_half");
  ::testing::internal::CaptureStdout();
  const absl::Status status = command.run({options.checkpoint, "--model", other.model_json, "--out", out + "2"});
  EXPECT_THAT(::testing::internal::GetCapturedStdout(), HasSubstr("missing"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(fs::exists(out + "2"));
}

TEST(ImportCommandTest, RefusesWhatItCannotDo) {
  const train::Command command = train::ImportCommand();
  const auto reason = [&](const std::vector<std::string>& arguments) {
    return base::GetErrorInfo(command.run(arguments)).reason;
  };
  EXPECT_EQ(reason({}), "ARGUMENT_MISSING");
  EXPECT_EQ(reason({"a", "b"}), "ARGUMENT_MISSING");
  EXPECT_EQ(reason({"a"}), "SETTING_MISSING");
  EXPECT_EQ(reason({"a", "--model", "cls"}), "SETTING_MISSING");
  EXPECT_EQ(reason({"a", "--model", "not_in_the_zoo", "--out", "/tmp/nothing/here"}), "MODEL_NOT_FOUND");
  EXPECT_EQ(reason({"a", "--model", std::string(10'000, 'x') + "/y", "--out", "/tmp/nothing/here"}), "MODEL_NOT_FOUND");
  EXPECT_EQ(reason({"a", "--colour", "red"}), "FLAG_UNKNOWN");
}

}  // namespace
}  // namespace sightline::model
