// The verbs of filters, refinement and long work, against a server in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cli/run.h"
#include "tests/client/support/cli_test.h"

namespace sightline::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class WorkVerbsTest : public testing::StillCliTest {
 protected:
  void Prepare(Context* context) override {
    StillCliTest::Prepare(context);
    context->err_is_terminal = terminal_;
    context->confirm = confirm_;
  }

  v1::Operation Step(v1::Operation::State state, int64_t done = 0, int64_t total = 0) const {
    v1::Operation operation;
    operation.set_name("operations/7");
    operation.set_kind("optimize");
    operation.set_collection("shop");
    operation.set_state(state);
    operation.set_done(done);
    operation.set_total(total);
    operation.mutable_create_time()->set_seconds(1000);
    return operation;
  }

  bool terminal_ = false;
  std::function<bool(const std::string&)> confirm_;
};

TEST_F(WorkVerbsTest, SearchSendsEveryOption) {
  EXPECT_EQ(RunWords({"search",   "--id",         "a",          "-c",         "shop",
                      "--filter", "price < 100",  "--group-by", "brand",      "--group-size",
                      "3",        "--ef-search",  "500",        "--nprobe=7", "--expand",
                      "alpha",    "--neighbours", "12",         "--alpha",    "0.5",
                      "--exact",  "--offset",     "4"}),
            kNothingFound)
      << err_;
  const v1::SearchRequest request = server_.last_search();
  EXPECT_EQ(request.filter(), "price < 100");
  EXPECT_EQ(request.group_by(), "brand");
  EXPECT_EQ(request.group_size(), 3);
  EXPECT_EQ(request.ef_search(), 500);
  EXPECT_EQ(request.nprobe(), 7);
  EXPECT_TRUE(request.exact());
  EXPECT_EQ(request.expansion().method(), v1::QueryExpansion::METHOD_ALPHA_WEIGHTED);
  EXPECT_EQ(request.expansion().neighbours(), 12);
  EXPECT_EQ(request.expansion().alpha(), 0.5);
}

TEST_F(WorkVerbsTest, SearchSendsNothingThatWasNotAsked) {
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop"}), kNothingFound);
  const v1::SearchRequest request = server_.last_search();
  EXPECT_FALSE(request.has_ef_search());
  EXPECT_FALSE(request.has_nprobe());
  EXPECT_FALSE(request.has_expansion());
  EXPECT_EQ(request.group_size(), 0);
}

TEST_F(WorkVerbsTest, EveryMethodOfExpandHasAName) {
  for (const auto& [name, method] : std::vector<std::pair<std::string, v1::QueryExpansion::Method>>{
           {"average", v1::QueryExpansion::METHOD_AVERAGE},
           {"alpha", v1::QueryExpansion::METHOD_ALPHA_WEIGHTED},
           {"super-global", v1::QueryExpansion::METHOD_SUPER_GLOBAL},
           {"k-reciprocal", v1::QueryExpansion::METHOD_K_RECIPROCAL}}) {
    EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop", "--expand", name}), kNothingFound);
    EXPECT_EQ(server_.last_search().expansion().method(), method) << name;
  }
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop", "--expand", "magic"}), kUsage);
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop", "--neighbours", "3"}), kUsage);
}

TEST_F(WorkVerbsTest, ANumberTooLargeForItsFieldStaysTooLarge) {
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop", "--ef-search", "4294967297"}), kNothingFound);
  EXPECT_EQ(server_.last_search().ef_search(), 2147483647);
  EXPECT_EQ(RunWords({"search", "--id", "a", "-c", "shop", "--nprobe", "-4294967297"}), kNothingFound);
  EXPECT_EQ(server_.last_search().nprobe(), -2147483647);
}

TEST_F(WorkVerbsTest, SearchTellsHowManyMatchTheFilter) {
  v1::SearchResponse response;
  response.mutable_stats()->set_images(480);
  response.mutable_stats()->set_matching(12);
  response.mutable_stats()->set_index("hnsw");
  server_.SetSearchResponse(response);
  RunWords({"search", "--id", "a", "-c", "shop", "--filter", "a = 1"});
  EXPECT_THAT(out_, HasSubstr("searched 480 images (hnsw, 12 match the filter)\n"));
}

TEST_F(WorkVerbsTest, DeleteByFilterAsksOnATerminal) {
  std::string asked;
  bool answer = false;
  confirm_ = [&](const std::string& question) {
    asked = question;
    return answer;
  };
  const std::vector<std::string> words = {"delete", "-c", "shop", "--filter", "season = \"2024\""};
  EXPECT_EQ(RunWords(words), kNothingFound);
  EXPECT_THAT(asked, AllOf(HasSubstr("\"shop\""), HasSubstr("season = \"2024\"")));
  EXPECT_EQ(server_.last_delete().filter(), "") << "nothing was sent";
  answer = true;
  RunWords(words);
  EXPECT_EQ(server_.last_delete().filter(), "season = \"2024\"");

  asked.clear();
  std::vector<std::string> sure = words;
  sure.push_back("--yes");
  RunWords(sure);
  EXPECT_EQ(asked, "");
  confirm_ = nullptr;
  RunWords({"delete", "-c", "shop", "--filter", "b = 2"});
  EXPECT_EQ(server_.last_delete().filter(), "b = 2") << "a script is not asked";
}

TEST_F(WorkVerbsTest, OptimizeFollowsTheOperationToItsEnd) {
  v1::Operation ended = Step(v1::Operation::STATE_SUCCEEDED, 100, 100);
  ended.mutable_end_time()->set_seconds(1090);
  server_.SetOperationSteps({Step(v1::Operation::STATE_PENDING), Step(v1::Operation::STATE_RUNNING, 1, 100),
                             Step(v1::Operation::STATE_RUNNING, 55, 100), ended});
  EXPECT_EQ(RunWords({"optimize", "shop", "--augment", "10", "--augment-alpha", "2"}), kOk);
  EXPECT_EQ(out_, "operations/7 succeeded in 1 min 30 s\n");
  EXPECT_THAT(err_, HasSubstr("operations/7 started"));
  EXPECT_EQ(server_.last_optimize().name(), "shop");
  EXPECT_EQ(server_.last_optimize().augment_neighbours(), 10);
  EXPECT_EQ(server_.last_optimize().augment_alpha(), 2);
  EXPECT_GT(slept_, absl::ZeroDuration());
}

TEST_F(WorkVerbsTest, OptimizeDrawsProgressOnATerminal) {
  terminal_ = true;
  v1::Operation running = Step(v1::Operation::STATE_RUNNING, 55'000, 100'000);
  running.mutable_estimated_end_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()) + 3600);
  server_.SetOperationSteps({Step(v1::Operation::STATE_PENDING), running, Step(v1::Operation::STATE_SUCCEEDED)});
  EXPECT_EQ(RunWords({"optimize", "shop"}), kOk);
  EXPECT_THAT(err_, HasSubstr("optimize shop: running  55,000/100,000 55 %  ETA 59 min"));
}

TEST_F(WorkVerbsTest, OptimizeSaysWhyItFailed) {
  v1::Operation failed = Step(v1::Operation::STATE_FAILED);
  failed.mutable_error()->set_message("the disk is full. Free some.");
  server_.SetOperationSteps({Step(v1::Operation::STATE_PENDING), failed});
  EXPECT_EQ(RunWords({"optimize", "shop"}), kError);
  EXPECT_THAT(err_, HasSubstr("sightline: operations/7 failed: the disk is full. Free some.\n"));
  server_.SetOperationSteps({Step(v1::Operation::STATE_PENDING), Step(v1::Operation::STATE_CANCELLED)});
  EXPECT_EQ(RunWords({"optimize", "shop"}), kError);
  EXPECT_THAT(err_, HasSubstr("sightline: operations/7 cancelled.\n"));
}

TEST_F(WorkVerbsTest, OptimizeOutlivesARestartOfTheServer) {
  server_.SetOperationSteps({Step(v1::Operation::STATE_PENDING), Step(v1::Operation::STATE_SUCCEEDED)});
  const absl::Status away = base::Error(absl::StatusCode::kUnavailable, "AWAY", "it restarts. Wait.");
  server_.FailOperations({away, away, away});
  EXPECT_EQ(RunWords({"optimize", "shop"}), kOk) << err_;
  server_.SetOperationSteps({Step(v1::Operation::STATE_PENDING)});
  server_.FailOperations({base::NotFound("OPERATION_NOT_FOUND", "gone. List them.")});
  EXPECT_EQ(RunWords({"optimize", "shop"}), kError);
}

TEST_F(WorkVerbsTest, OptimizeDetachedPrintsTheName) {
  server_.SetOperationSteps({Step(v1::Operation::STATE_PENDING)});
  EXPECT_EQ(RunWords({"optimize", "shop", "--detach"}), kOk);
  EXPECT_EQ(out_, "operations/7\n");
  EXPECT_EQ(RunWords({"optimize"}), kUsage);
}

TEST_F(WorkVerbsTest, OperationsAreListedShownAndCancelled) {
  v1::Operation failed = Step(v1::Operation::STATE_FAILED);
  failed.set_name("operations/6");
  failed.mutable_error()->set_message("no.\nNo.");
  server_.SetOperationSteps({Step(v1::Operation::STATE_RUNNING, 1, 4), failed});
  EXPECT_EQ(RunWords({"operations"}), kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("operations/7  optimize  shop        running  1/4 25 %"), HasSubstr("operations/6"),
                          HasSubstr("no.\\x0aNo.")));
  EXPECT_EQ(RunWords({"operations", "list", "--limit", "1"}), kOk);
  EXPECT_THAT(out_, Not(HasSubstr("operations/6")));
  EXPECT_EQ(RunWords({"operations", "cancel", "operations/7"}), kOk);
  EXPECT_THAT(out_, HasSubstr("cancelled"));
  EXPECT_EQ(RunWords({"operations", "stop", "operations/7"}), kUsage);
  EXPECT_EQ(RunWords({"operations", "get"}), kUsage);
  EXPECT_EQ(RunWords({"operations", "get", "operations/99"}), kError);
}

TEST_F(WorkVerbsTest, TheResultOfAnOperationIsJson) {
  v1::Operation operation = Step(v1::Operation::STATE_SUCCEEDED);
  v1::Collection collection;
  collection.set_name("shop");
  operation.mutable_result()->PackFrom(collection);
  server_.SetOperationSteps({operation});
  EXPECT_EQ(RunWords({"operations", "get", "operations/7", "--json"}), kOk);
  EXPECT_THAT(out_,
              HasSubstr(R"("result":{"@type":"type.googleapis.com/sightline.v1.Collection","value":{"name":"shop",)"));
  operation.mutable_result()->set_type_url("type.googleapis.com/sightline.v9.Later");
  server_.SetOperationSteps({operation});
  EXPECT_EQ(RunWords({"operations", "get", "operations/7", "--json"}), kOk);
  EXPECT_THAT(out_, HasSubstr(R"("result":{"@type":"type.googleapis.com/sightline.v9.Later"})"));
}

TEST_F(WorkVerbsTest, ValuesAreATable) {
  v1::ListAttributeValuesResponse values;
  for (const auto& [name, count] : {std::pair("acme", 1234), std::pair("zeta", 5)}) {
    auto& value = *values.add_values();
    value.mutable_value()->set_string_value(name);
    value.set_count(count);
  }
  server_.SetValues(values);
  EXPECT_EQ(RunWords({"values", "shop", "brand", "--filter", "price < 3", "--limit", "2"}), kOk);
  EXPECT_EQ(out_,
            "images  value\n"
            " 1,234  acme\n"
            "     5  zeta\n");
  EXPECT_EQ(server_.last_values().key(), "brand");
  EXPECT_EQ(server_.last_values().filter(), "price < 3");
  EXPECT_EQ(server_.last_values().page_size(), 2);
  server_.SetValues({});
  EXPECT_EQ(RunWords({"values", "shop", "brand"}), kNothingFound);
  EXPECT_EQ(RunWords({"values", "shop"}), kUsage);
}

}  // namespace
}  // namespace sightline::cli
