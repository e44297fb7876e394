// The verbs, from words to output and exit code, against a server in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "client/cli/run.h"
#include "tests/client/support/cli_test.h"

namespace sightline::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class VerbsTest : public testing::CliTest {};

v1::SearchResponse TwoResults() {
  v1::SearchResponse response;
  for (int i = 0; i < 2; ++i) {
    auto& result = *response.add_results();
    result.set_id(absl::StrCat("shoes/", i, ".jpg"));
    result.set_rank(i + 1);
    result.set_score(0.9 - 0.25 * i);
  }
  auto& stats = *response.mutable_stats();
  stats.set_images(480);
  stats.set_index("exact");
  auto& stage = *stats.add_stages();
  stage.set_stage("embed");
  stage.set_milliseconds(81.04);
  stage.set_batch_size(4);
  return response;
}

TEST_F(VerbsTest, SearchPrintsATable) {
  server_.SetSearchResponse(TwoResults());
  EXPECT_EQ(RunWords({"search", File("q.jpg", "image"), "-c", "shop", "--crop", "1,2,30,40"}), kOk);
  EXPECT_EQ(out_,
            "rank  id            score\n"
            "   1  shoes/0.jpg  0.9000\n"
            "   2  shoes/1.jpg  0.6500\n"
            "searched 480 images (exact): embed 81.0 ms (batch of 4)\n");
  EXPECT_EQ(err_, "");
  EXPECT_EQ(server_.last_search().query().parts(0).image(), "image");
  EXPECT_EQ(server_.last_search().query().parts(0).crops(0).unit(), v1::CropBox::UNIT_PIXEL);
}

TEST_F(VerbsTest, SearchIsLoudAboutUntrainedAndDegraded) {
  v1::SearchResponse response = TwoResults();
  response.mutable_stats()->mutable_model()->set_untrained(true);
  response.mutable_stats()->mutable_model()->set_model("tiny");
  response.mutable_stats()->set_degraded(true);
  response.mutable_stats()->add_degraded_reasons("Re-ranking ran out of time.");
  server_.SetSearchResponse(response);
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop"}), kDegraded);
  EXPECT_THAT(err_, AllOf(HasSubstr("WARNING: the model tiny is untrained"),
                          HasSubstr("DEGRADED: Re-ranking ran out of time.")));
}

TEST_F(VerbsTest, SearchWithoutResultsIsExitCode2) {
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop"}), kNothingFound);
  EXPECT_THAT(out_, StartsWith("nothing found\n"));
}

TEST_F(VerbsTest, SearchJsonIsTheResponse) {
  server_.SetSearchResponse(TwoResults());
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop", "--json"}), kOk);
  EXPECT_THAT(out_, StartsWith(R"({"results":[{"id":"shoes/0.jpg","rank":1,"score":0.9,)"));
}

TEST_F(VerbsTest, ErrorsAreTheServersSentencesOnOneLine) {
  server_.FailSearches({base::InvalidArgument("TOP_K_TOO_LARGE", "top_k is 5000; the limit is 1000.\nAsk for fewer.")});
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop", "-k", "5000"}), kError);
  EXPECT_EQ(err_, "sightline: top_k is 5000; the limit is 1000.\\x0aAsk for fewer.\n");
  server_.FailSearches({base::InvalidArgument("TOP_K_TOO_LARGE", "too large. Less.", {{"limit", "1000"}})});
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop", "--json"}), kError);
  EXPECT_EQ(err_, R"({"error":{"code":"INVALID_ARGUMENT","reason":"TOP_K_TOO_LARGE","message":"too large. Less.",)"
                  R"("facts":{"limit":"1000"}}})"
                  "\n");
}

TEST_F(VerbsTest, FilesBeyondTheServersLimitAreNotRead) {
  const std::string large = File("large.jpg", std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(RunWords({"search", large, "-c", "shop"}), kError);
  EXPECT_THAT(err_, HasSubstr("1048576"));
}

TEST_F(VerbsTest, IndexSendsAFolderAndSkipsItTheSecondTime) {
  File("photos/b.JPG", "b");
  File("photos/sub/a.png", "a");
  File("photos/notes.txt", "no image");
  const std::string photos = Path("photos");
  EXPECT_EQ(RunWords({"index", photos, "-c", "shop"}), kOk) << err_;
  EXPECT_THAT(out_, StartsWith("indexed 2 images in "));
  EXPECT_EQ(server_.WritesOf("sub/a.png").size(), 1u);
  EXPECT_EQ(server_.WritesOf("b.JPG").size(), 1u);
  File("photos/b.JPG", "changed");
  EXPECT_EQ(RunWords({"index", photos, "-c", "shop"}), kOk) << err_;
  EXPECT_THAT(out_, AllOf(StartsWith("indexed 1 image in "), HasSubstr("skipped 1 already indexed\n")));
  EXPECT_EQ(RunWords({"index", photos, "-c", "shop", "--force"}), kOk);
  EXPECT_THAT(out_, StartsWith("indexed 2 images in "));
}

TEST_F(VerbsTest, IndexWritesAgainWhatWasDeleted) {
  const std::string file = File("a.jpg", "a");
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "shop"}), kOk);
  EXPECT_EQ(RunWords({"delete", "a.jpg", "gone.jpg", "-c", "shop"}), kOk);
  EXPECT_EQ(out_, "deleted 1 image; 1 not found\n");
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "shop"}), kOk);
  EXPECT_EQ(server_.images("shop"), 1);
}

TEST_F(VerbsTest, IndexSendsAgainWhenAttributesDiffer) {
  File("a.jpg", "a");
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "shop", "--attribute", "n:int64=1"}), kOk);
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "shop", "--attribute", "n:int64=1"}), kOk);
  EXPECT_EQ(server_.WritesOf("a.jpg").size(), 1u);
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "shop", "--attribute", "n:int64=2"}), kOk);
  EXPECT_EQ(server_.WritesOf("a.jpg").size(), 2u);
}

TEST_F(VerbsTest, IndexListsFailuresWithReasons) {
  File("good.jpg", "a");
  const std::string bad = File("bad.jpg", "b");
  const std::string large = File("large.jpg", std::string((1 << 20) + 1, 'x'));
  server_.FailNext("bad.jpg", {base::InvalidArgument("IMAGE_CORRUPT", "the image is broken. Send another.")});
  EXPECT_EQ(RunWords({"index", folder_.path(), "/nowhere/at/all", "-c", "shop"}), kPartial);
  EXPECT_THAT(out_, StartsWith("indexed 1 image in "));
  EXPECT_THAT(err_,
              AllOf(HasSubstr("failed 3:\n"), HasSubstr(absl::StrCat(bad, ": the image is broken. Send another.\n")),
                    HasSubstr(absl::StrCat("  ", large, ": ")), HasSubstr("cannot read /nowhere/at/all"),
                    HasSubstr("Run the same command again")));
}

TEST_F(VerbsTest, IndexJsonIsOneObjectPerLine) {
  File("a.jpg", "a");
  File("b.jpg", "b");
  server_.FailNext("b.jpg", {base::InvalidArgument("IMAGE_CORRUPT", "broken. Send another.")});
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "shop", "--json"}), kPartial);
  const std::vector<std::string> lines = absl::StrSplit(out_, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(out_, HasSubstr(R"({"event":"indexed","id":"a.jpg","path":)"));
  EXPECT_THAT(out_, HasSubstr(R"("error":{"code":"INVALID_ARGUMENT","reason":"IMAGE_CORRUPT",)"));
  EXPECT_THAT(lines[2], StartsWith(R"({"event":"summary","indexed":1,"skipped":0,"failed":1,"remaining":0,)"));
}

TEST_F(VerbsTest, IndexCreatesOnlyWhenAsked) {
  File("a.jpg", "a");
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "new"}), kError);
  EXPECT_THAT(err_, HasSubstr("there is no collection"));
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "new", "--create"}), kOk);
  EXPECT_EQ(server_.images("new"), 1);
}

TEST_F(VerbsTest, IndexStopsWhenInterruptedAndSaysHowToGoOn) {
  for (int i = 0; i < 5; ++i) File(absl::StrCat(i, ".jpg"), absl::StrCat(i));
  interrupted_ = true;
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "shop"}), kInterrupted);
  EXPECT_THAT(err_, HasSubstr("5 not reached. Run the same command again to go on"));
  interrupted_ = false;
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "shop"}), kOk);
  EXPECT_EQ(server_.images("shop"), 5);
}

TEST_F(VerbsTest, IndexRefusesNamesThatAreNoIds) {
  File("ok.jpg", "a");
  File("bad\xFF.jpg", "b");
  File("bad\n.jpg", "c");
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "shop"}), kPartial);
  EXPECT_THAT(err_, AllOf(HasSubstr("failed 2:\n"), HasSubstr("bad\\xff.jpg"), HasSubstr("Rename the file.")));
  EXPECT_EQ(server_.images("shop"), 1);
}

TEST_F(VerbsTest, IndexSurvivesLinkLoopsAndEmptyFolders) {
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "shop"}), kNothingFound);
  EXPECT_THAT(err_, HasSubstr("no .jpg, .jpeg, .png or .webp file in"));
  File("sub/a.jpg", "a");
  fs::create_directory_symlink(folder_.path(), Path("sub/loop"));
  fs::create_symlink("nowhere.jpg", Path("dangling.jpg"));
  EXPECT_EQ(RunWords({"index", folder_.path(), "-c", "shop"}), kOk) << err_;
  EXPECT_EQ(server_.images("shop"), 1);
}

TEST_F(VerbsTest, IndexTakesTwoFoldersWithPrefix) {
  File("x/a.jpg", "a");
  File("y/a.jpg", "b");
  EXPECT_EQ(RunWords({"index", Path("x"), Path("y"), "-c", "shop"}), kPartial);
  EXPECT_THAT(err_, HasSubstr("the id \"a.jpg\" belongs to another file of this run."));
  EXPECT_EQ(RunWords({"index", Path("y"), "-c", "shop", "--id_prefix", "y/"}), kOk);
  EXPECT_EQ(server_.WritesOf("y/a.jpg").size(), 1u);
}

TEST_F(VerbsTest, GetListDelete) {
  File("a.jpg", "a");
  ASSERT_EQ(RunWords({"index", folder_.path(), "-c", "shop", "--attribute", "brand=acme"}), kOk);
  EXPECT_EQ(RunWords({"get", "a.jpg", "-c", "shop"}), kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("id           a.jpg\n"), HasSubstr("attributes   brand=acme\n")));
  EXPECT_EQ(RunWords({"get", "b.jpg", "-c", "shop"}), kNothingFound);
  EXPECT_EQ(RunWords({"list", "-c", "shop", "--json"}), kOk);
  EXPECT_THAT(out_, HasSubstr(R"("attributes":{"brand":{"string_value":"acme"}})"));
  EXPECT_EQ(RunWords({"delete", "b.jpg", "-c", "shop"}), kNothingFound);
  EXPECT_EQ(RunWords({"get", "a.jpg", "-c", "shop", "--output", Path("o")}), kError);
  EXPECT_THAT(err_, HasSubstr("keeps no original of"));
}

TEST_F(VerbsTest, ListGoesThroughAllPages) {
  for (int i = 0; i < 12; ++i) File(absl::StrCat(i, ".jpg"), absl::StrCat(i));
  ASSERT_EQ(RunWords({"index", folder_.path(), "-c", "shop"}), kOk);
  EXPECT_EQ(RunWords({"list", "-c", "shop", "--json", "--limit", "7"}), kOk);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 7);
  EXPECT_EQ(err_, "more follow: add --page_token 7\n");
  EXPECT_EQ(RunWords({"list", "-c", "shop", "--json", "--page_token", "7"}), kOk);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 5);
}

TEST_F(VerbsTest, CollectionsAreCreatedShownAndDeletedOnPurpose) {
  EXPECT_EQ(RunWords({"collections", "create", "new"}), kOk);
  EXPECT_THAT(out_, HasSubstr("name               new\n"));
  EXPECT_EQ(RunWords({"collections"}), kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("\nnew "), HasSubstr("\nshop")));
  EXPECT_EQ(RunWords({"collections", "delete", "new"}), kUsage);
  EXPECT_THAT(err_, HasSubstr("add --yes to mean it"));
  EXPECT_EQ(RunWords({"collections", "delete", "new", "--yes"}), kOk);
  EXPECT_EQ(out_, "deleted new with 0 images\n");
  EXPECT_EQ(RunWords({"collections", "get", "new"}), kError);
  EXPECT_EQ(RunWords({"collections", "create", "slow", "--device", "cpu"}), kOk);
  for (const char* verb : {"create", "update"}) {
    EXPECT_EQ(RunWords({"collections", verb, "slow", "--device", "gpu"}), kUsage);
    EXPECT_THAT(err_, HasSubstr("--device is \"gpu\"; it is auto or cpu."));
  }
  EXPECT_EQ(RunWords({"collections", "creat", "x"}), kUsage);
  EXPECT_THAT(err_, HasSubstr("Did you mean create?"));
}

TEST_F(VerbsTest, StatusAndDoctor) {
  v1::GetServerInfoResponse info;
  info.set_version("0.1.0");
  info.set_simd_level("avx2");
  info.mutable_limits()->set_max_message_bytes(40 << 20);
  info.mutable_limits()->set_max_image_bytes(16 << 20);
  auto& model = *info.add_models();
  model.set_name("tiny");
  model.set_state(v1::Model::STATE_READY);
  model.set_untrained(true);
  info.add_warnings("The model tiny is untrained.");
  server_.SetInfo(info);
  EXPECT_EQ(RunWords({"status"}), kOk);
  EXPECT_THAT(out_, AllOf(StartsWith("Sightline 0.1.0 at "), HasSubstr("UNTRAINED"), HasSubstr("READY"),
                          HasSubstr("WARNING: The model tiny is untrained.\n"), HasSubstr("shop")));
  EXPECT_EQ(RunWords({"doctor"}), kOk);
  EXPECT_THAT(out_,
              AllOf(HasSubstr("ok    serving"), HasSubstr("warn  model tiny"), HasSubstr("-> Put trained weights")));
  info.mutable_models(0)->set_state(v1::Model::STATE_FAILED);
  info.mutable_models(0)->set_error("model.json is damaged.");
  server_.SetInfo(info);
  EXPECT_EQ(RunWords({"doctor", "--json"}), kError);
  EXPECT_THAT(out_, HasSubstr(R"({"check":"model tiny","verdict":"fail","found":"model.json is damaged.")"));
  EXPECT_EQ(RunWords({"doctor", "--plan", "100M"}), kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("160.0 GB"), HasSubstr("2.6 TB")));
  EXPECT_EQ(RunWords({"doctor", "--plan", "lots"}), kUsage);
}

TEST_F(VerbsTest, AnAbsentServerIsNamed) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"status"}, {"list", "-c", "shop"}, {"search", "--id", "a", "-c", "shop"}, {"doctor"}, {"collections"}}) {
    std::vector<std::string> with_address = words;
    with_address.insert(with_address.end(), {"--address", "127.0.0.1:1"});
    EXPECT_EQ(RunWords(with_address), kError) << words[0];
    EXPECT_THAT(out_ + err_, AllOf(HasSubstr("no server answers at 127.0.0.1:1"), HasSubstr("tart sightline-server")));
  }
}

TEST_F(VerbsTest, EveryVerbExplainsItself) {
  EXPECT_EQ(RunWords({"help"}), kOk);
  const std::string overview = out_;
  for (const Command& command : Commands()) {
    if (command.hidden) {
      EXPECT_THAT(overview, Not(HasSubstr(command.name)));
      continue;
    }
    EXPECT_THAT(overview, HasSubstr(absl::StrCat("\n  ", command.name, " ")));
    EXPECT_EQ(RunWords({command.name, "--help"}), kOk);
    EXPECT_THAT(out_, AllOf(StartsWith(absl::StrCat("sightline ", command.name, ": ")), HasSubstr("\nUsage: "),
                            HasSubstr("--address HOST:PORT")));
    for (const FlagSpec& flag : command.flags) EXPECT_THAT(out_, HasSubstr(absl::StrCat("--", flag.name)));
    EXPECT_EQ(RunWords({command.name, "--no_such_flag"}), kUsage) << command.name;
  }
}

TEST_F(VerbsTest, WrongUsageIsExitCode64) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"serch"},
                                             {"search"},
                                             {"search", "a.jpg", "--id", "b", "-c", "x"},
                                             {"search", "--id", "b"},
                                             {"search", "--id", "b", "--crop", "0,0,1,1", "-c", "x"},
                                             {"get", "-c", "x"},
                                             {"delete", "-c", "x"},
                                             {"delete", "a", "--filter", "f", "-c", "x"},
                                             {"index"},
                                             {"index", "x", "-c", "x", "--in_flight", "0"},
                                             {"list", "extra", "-c", "x"},
                                             {"list", "-c", "x", "--limit", "0"},
                                             {"status", "extra"}}) {
    EXPECT_EQ(RunWords(words), kUsage) << (words.empty() ? "" : words[0]);
    EXPECT_EQ(out_, "");
    EXPECT_THAT(err_, Not(HasSubstr("  \n")));
  }
}

}  // namespace
}  // namespace sightline::cli
