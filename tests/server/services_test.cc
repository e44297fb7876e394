// The services between the API's messages and the index: what reaches the index, and what comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <future>

#include "base/status.h"
#include "server/services/collection_service.h"
#include "server/services/index_service.h"
#include "server/services/operation_service.h"
#include "server/services/server_service.h"
#include "server/status_page.h"
#include "tests/index/fake_card.h"
#include "tests/server/services_fixture.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_model.h"

namespace sightline::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(ServicesTest, EveryOptionOfASearchReachesTheIndex) {
  v1::SearchRequest request = NewSearch();
  request.set_top_k(1000);
  request.set_offset(20);
  request.set_min_score(0.25);
  request.set_filter("brand = \"acme\"");
  request.set_group_by("brand");
  request.set_group_size(3);
  request.set_exact(true);
  request.set_ef_search(10'000);
  request.set_nprobe(65'536);
  request.mutable_expansion()->set_method(v1::QueryExpansion::METHOD_ALPHA_WEIGHTED);
  request.mutable_expansion()->set_neighbours(1000);
  request.mutable_expansion()->set_alpha(0);
  v1::SearchResponse reply;
  ASSERT_TRUE(Search(request, &reply).ok());
  const index::SearchQuery& asked = collection_->asked;
  EXPECT_THAT(collection_->asked_descriptor, ElementsAre(0, ::testing::FloatEq(0.6f), ::testing::FloatEq(0.8f), 0));
  EXPECT_EQ(asked.top_k, 1000);
  EXPECT_EQ(asked.offset, 20);
  EXPECT_EQ(asked.min_score, 0.25);
  EXPECT_EQ(asked.filter, "brand = \"acme\"");
  EXPECT_EQ(asked.group_by, "brand");
  EXPECT_EQ(asked.group_size, 3);
  EXPECT_TRUE(asked.exact);
  EXPECT_EQ(asked.ef_search, 10'000);
  EXPECT_EQ(asked.nprobe, 65'536);
  EXPECT_EQ(asked.refinement.method, index::Refinement::Method::kAlphaWeighted);
  EXPECT_EQ(asked.refinement.neighbours, 1000);
  EXPECT_EQ(asked.refinement.alpha, 0);
}

TEST_F(ServicesTest, OptionsLeftOutAreTheDefaults) {
  v1::SearchResponse reply;
  ASSERT_TRUE(Search(NewSearch(), &reply).ok());
  const index::SearchQuery& asked = collection_->asked;
  EXPECT_EQ(asked.top_k, 10);
  EXPECT_EQ(asked.offset, 0);
  EXPECT_FALSE(asked.min_score.has_value());
  EXPECT_EQ(asked.filter, "");
  EXPECT_EQ(asked.group_by, "");
  EXPECT_EQ(asked.group_size, 1);
  EXPECT_FALSE(asked.exact);
  EXPECT_FALSE(asked.ef_search.has_value());
  EXPECT_FALSE(asked.nprobe.has_value());
  EXPECT_EQ(asked.refinement.method, index::Refinement::Method::kOff);
  EXPECT_EQ(asked.refinement.neighbours, 0);
  EXPECT_EQ(asked.refinement.alpha, 3);
}

TEST_F(ServicesTest, EveryMethodOfRefinementHasItsOwn) {
  using Proto = v1::QueryExpansion;
  using Method = index::Refinement::Method;
  for (const auto& [proto, method] :
       std::vector<std::pair<Proto::Method, Method>>{{Proto::METHOD_UNSPECIFIED, Method::kOff},
                                                     {Proto::METHOD_OFF, Method::kOff},
                                                     {Proto::METHOD_AVERAGE, Method::kAverage},
                                                     {Proto::METHOD_ALPHA_WEIGHTED, Method::kAlphaWeighted},
                                                     {Proto::METHOD_SUPER_GLOBAL, Method::kSuperGlobal},
                                                     {Proto::METHOD_K_RECIPROCAL, Method::kReciprocal}}) {
    v1::SearchRequest request = NewSearch();
    request.mutable_expansion()->set_method(proto);
    v1::SearchResponse reply;
    ASSERT_TRUE(Search(request, &reply).ok());
    EXPECT_EQ(collection_->asked.refinement.method, method) << proto;
  }
}

TEST_F(ServicesTest, WhatTheIndexFoundComesBackWhole) {
  collection_->outcome->hits = {{"b", 0.5, 0.9, 2}, {"a", 0.75, 0.8, 1}, {"c", 0.25, std::nullopt, 3}};
  collection_->outcome->images = 100;
  collection_->outcome->matching = 40;
  collection_->outcome->compared = 60;
  collection_->outcome->index = "hnsw";
  collection_->outcome->degraded_reasons = {"one is missing."};
  v1::SearchRequest request = NewSearch();
  request.set_filter("f = 1");
  request.mutable_expansion()->set_method(v1::QueryExpansion::METHOD_SUPER_GLOBAL);
  request.set_offset(5);
  v1::SearchResponse reply;
  ASSERT_TRUE(Search(request, &reply).ok());
  ASSERT_EQ(reply.results_size(), 3);
  EXPECT_EQ(reply.results(0).id(), "b");
  EXPECT_EQ(reply.results(0).rank(), 6);
  EXPECT_EQ(reply.results(0).score(), 0.5);
  EXPECT_EQ(reply.results(0).rerank_score(), 0.9);
  EXPECT_EQ(reply.results(0).rank_before_rerank(), 2);
  EXPECT_FALSE(reply.results(2).has_rerank_score());
  EXPECT_EQ(reply.stats().images(), 100);
  EXPECT_EQ(reply.stats().matching(), 40);
  EXPECT_EQ(reply.stats().compared(), 60);
  EXPECT_EQ(reply.stats().index(), "hnsw");
  EXPECT_TRUE(reply.stats().degraded());
  EXPECT_THAT(reply.stats().degraded_reasons(), ElementsAre("one is missing."));
  EXPECT_THAT(metrics_.Text(),
              HasSubstr(R"(sightline_searches_total{filtered="true",index="hnsw",refinement="super_global"} 1)"));
}

TEST_F(ServicesTest, OnlyCheapPlainSearchesRunWhereTheyArrive) {
  v1::SearchResponse reply;
  bool here = false;
  collection_->search_cost = 1000;
  ASSERT_TRUE(Search(NewSearch(), &reply, &here).ok());
  EXPECT_TRUE(here);
  const std::vector<std::function<void(v1::SearchRequest&)>> changes = {
      [](v1::SearchRequest& r) { r.set_filter("a = 1"); },
      [](v1::SearchRequest& r) { r.set_group_by("a"); },
      [](v1::SearchRequest& r) { r.set_exact(true); },
      [](v1::SearchRequest& r) { r.set_ef_search(5); },
      [](v1::SearchRequest& r) { r.set_nprobe(5); },
      [](v1::SearchRequest& r) { r.mutable_expansion()->set_method(v1::QueryExpansion::METHOD_K_RECIPROCAL); },
      [](v1::SearchRequest& r) { r.set_return_attributes(true); }};
  for (const auto& change : changes) {
    v1::SearchRequest request = NewSearch();
    change(request);
    ASSERT_TRUE(Search(request, &reply, &here).ok());
    EXPECT_FALSE(here) << request.ShortDebugString();
  }
  collection_->search_cost = int64_t{1} << 30;
  ASSERT_TRUE(Search(NewSearch(), &reply, &here).ok());
  EXPECT_FALSE(here);
}

TEST_F(ServicesTest, AFailureOfTheIndexIsTheAnswer) {
  collection_->outcome = base::InvalidArgument("FILTER_INVALID", "the filter ends early. Complete it.");
  v1::SearchResponse reply;
  EXPECT_EQ(base::GetErrorInfo(Search(NewSearch(), &reply)).reason, "FILTER_INVALID");
  EXPECT_EQ(reply.results_size(), 0);
}

TEST_F(ServicesTest, ListsAndDeletesByFilter) {
  IndexService service(context_);
  v1::ListImagesRequest list;
  list.set_collection("shop");
  list.set_filter("a = 1");
  v1::ListImagesResponse listed;
  ASSERT_TRUE(Call(service, &IndexService::ListImages, list, &listed).ok());
  EXPECT_EQ(collection_->asked_filter, "a = 1");

  v1::DeleteImagesRequest remove;
  remove.set_collection("shop");
  remove.set_filter("b = 2");
  v1::DeleteImagesResponse removed;
  ASSERT_TRUE(Call(service, &IndexService::DeleteImages, remove, &removed).ok());
  EXPECT_EQ(collection_->asked_filter, "b = 2");
  EXPECT_EQ(removed.deleted(), 7);
  EXPECT_TRUE(collection_->deleted_ids.empty());

  remove.add_ids("x");
  EXPECT_EQ(base::GetErrorInfo(Call(service, &IndexService::DeleteImages, remove, &removed)).reason, "IDS_AND_FILTER");
  EXPECT_TRUE(collection_->deleted_ids.empty());
  remove.clear_filter();
  ASSERT_TRUE(Call(service, &IndexService::DeleteImages, remove, &removed).ok());
  EXPECT_THAT(collection_->deleted_ids, ElementsAre("x"));
}

TEST_F(ServicesTest, AFilterIsNotLookedThroughForACallerWhoHasGone) {
  IndexService service(context_);
  v1::ListImagesRequest list;
  list.set_collection("shop");
  v1::ListImagesResponse listed;
  v1::DeleteImagesRequest remove;
  remove.set_collection("shop");
  remove.set_filter("b = 2");
  v1::DeleteImagesResponse removed;
  for (const bool cancels : {true, false}) {
    const absl::StatusCode code = cancels ? absl::StatusCode::kCancelled : absl::StatusCode::kDeadlineExceeded;
    testing::FakeClock clock;
    RequestPtr request;
    const auto begin = [&] {
      request = std::make_shared<Request>(clock, clock.Steady() + std::chrono::seconds(20));
      return request;
    };
    collection_->while_looking = [&] { cancels ? request->Cancel() : clock.Advance(absl::Minutes(1)); };
    EXPECT_EQ(Call(begin(), service, &IndexService::ListImages, list, &listed).code(), code);
    EXPECT_EQ(Call(begin(), service, &IndexService::DeleteImages, remove, &removed).code(), code);
    EXPECT_EQ(removed.deleted(), 0);
  }
}

TEST_F(ServicesTest, CountsValuesOfEveryKind) {
  collection_->counts = {{{std::string("acme"), 5}, {int64_t{7}, 4}, {0.5, 3}, {true, 2}}, "next"};
  CollectionService service(context_);
  v1::ListAttributeValuesRequest request;
  request.set_collection("shop");
  request.set_key("brand");
  request.set_filter("a = 1");
  request.set_page_size(4);
  request.set_page_token("token");
  v1::ListAttributeValuesResponse reply;
  ASSERT_TRUE(Call(service, &CollectionService::ListValues, request, &reply).ok());
  EXPECT_EQ(collection_->asked_key, "brand");
  EXPECT_EQ(collection_->asked_filter, "a = 1");
  EXPECT_EQ(collection_->asked_page_size, 4);
  EXPECT_EQ(collection_->asked_page_token, "token");
  ASSERT_EQ(reply.values_size(), 4);
  EXPECT_EQ(reply.values(0).value().string_value(), "acme");
  EXPECT_EQ(reply.values(0).count(), 5);
  EXPECT_EQ(reply.values(1).value().int64_value(), 7);
  EXPECT_EQ(reply.values(2).value().double_value(), 0.5);
  EXPECT_TRUE(reply.values(3).value().bool_value());
  EXPECT_EQ(reply.next_page_token(), "next");
}

TEST_F(ServicesTest, OptimizeRunsAsAnOperation) {
  CollectionService service(context_);
  v1::OptimizeCollectionRequest request;
  request.set_name("shop");
  request.set_augment_neighbours(5);
  request.set_augment_alpha(1.5);
  v1::OptimizeCollectionResponse reply;
  ASSERT_TRUE(Call(service, &CollectionService::Optimize, request, &reply).ok());
  EXPECT_EQ(reply.operation().kind(), "optimize");
  EXPECT_EQ(reply.operation().collection(), "shop");

  OperationService operations(context_);
  v1::GetOperationRequest get;
  get.set_name(reply.operation().name());
  v1::GetOperationResponse got;
  for (int i = 0; i < 20'000 && got.operation().state() != v1::Operation::STATE_SUCCEEDED; ++i) {
    ASSERT_TRUE(Call(operations, &OperationService::Get, get, &got).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(collection_->optimized.augment_neighbours, 5);
  EXPECT_EQ(collection_->optimized.augment_alpha, 1.5);
  EXPECT_EQ(got.operation().done(), 4);
  v1::Collection result;
  ASSERT_TRUE(got.operation().result().UnpackTo(&result));
  EXPECT_EQ(result.name(), "shop");

  v1::ListOperationsRequest list;
  list.set_collection("shop");
  v1::ListOperationsResponse listed;
  ASSERT_TRUE(Call(operations, &OperationService::List, list, &listed).ok());
  EXPECT_EQ(listed.operations_size(), 1);
  list.set_collection("other");
  ASSERT_TRUE(Call(operations, &OperationService::List, list, &listed).ok());
  EXPECT_EQ(listed.operations_size(), 1) << "nothing is added";
  request.set_name("nowhere");
  EXPECT_TRUE(absl::IsNotFound(Call(service, &CollectionService::Optimize, request, &reply)));
}

TEST_F(ServicesTest, AWriteBeyondTheBudgetIsCountedAsOne) {
  collection_->written = base::Error(absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET", "it is full. Delete some.");
  IndexService service(context_);
  v1::IndexRequest request;
  request.set_collection("shop");
  *request.mutable_item()->mutable_global_descriptor() = NewSearch().query().parts(0).global_descriptor();
  v1::IndexResponse reply;
  std::promise<absl::Status> answer;
  const auto call =
      std::make_shared<Request>(base::Clock::Real(), base::Clock::Real().Steady() + std::chrono::seconds(20));
  service.Index(call, request, &reply, Priority::kInteractive, [&](absl::Status s) { answer.set_value(std::move(s)); });
  EXPECT_TRUE(absl::IsResourceExhausted(answer.get_future().get()));
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_rejected_total{reason="memory_budget"} 1)"));
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_rejected_total{reason="write_queue"} 0)"));
}

TEST_F(ServicesTest, StatusPageAndGaugesShowEveryLayer) {
  collection_->stats.images = 480;
  collection_->stats.segments = 2;
  collection_->stats.tail_images = 17;
  collection_->stats.graph_backlog = 5;
  collection_->stats.index_choice = "exact: few";
  collection_->stats.memory.codes = 3 << 20;
  collection_->stats.disk.tokens = 9 << 20;
  collection_->stats.card_images = 400;
  collection_->stats.card_bytes = 2 << 20;
  collection_->stats.card_scans = 31;
  limits_.memory_budget_bytes = 64 << 20;
  const std::string page = StatusPage(facts_, true, metrics_, database_, models_, *operations_, limits_);
  EXPECT_THAT(page, HasSubstr("collection shop: 480 images, exact: few\n"));
  EXPECT_THAT(page, HasSubstr("2 segments, 17 images in the tail, 5 not in a graph yet"));
  EXPECT_THAT(page, HasSubstr("memory 3.0 MiB: codes 3.0\n"));
  EXPECT_THAT(page, HasSubstr("disk 9.0 MiB: tokens 9.0\n"));
  EXPECT_THAT(page, HasSubstr("on the card 400 images, 2.0 MiB, 31 scans\n"));
  EXPECT_THAT(page, HasSubstr("memory of the collections 3.0 MiB, budget 64.0 MiB"));
  EXPECT_THAT(page, HasSubstr("operations: 0 pending 0 running 0 succeeded 0 failed 0 cancelled"));

  metrics_.SetCollector([&] {
    std::vector<Metrics::Sample> samples;
    AddSamples(database_, models_, *operations_, limits_, &metrics_.collections(), &samples);
    return samples;
  });
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr(R"(sightline_collection_segments{collection="shop"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(sightline_collection_tail_images{collection="shop"} 17)"));
  EXPECT_THAT(text, HasSubstr(R"(sightline_collection_graph_backlog{collection="shop"} 5)"));
  EXPECT_THAT(text, HasSubstr(R"(sightline_collection_bytes{collection="shop",layer="codes",place="memory"} 3145728)"));
  EXPECT_THAT(text, HasSubstr(R"(sightline_collection_bytes{collection="shop",layer="graph",place="disk"} 0)"));
  EXPECT_THAT(text,
              HasSubstr(R"(sightline_collection_bytes{collection="shop",layer="descriptors",place="card"} 2097152)"));
  EXPECT_THAT(text, HasSubstr(R"(sightline_collection_card_images{collection="shop"} 400)"));
  EXPECT_THAT(text, HasSubstr(R"(sightline_collection_card_scans_total{collection="shop"} 31)"));
  EXPECT_THAT(text, HasSubstr("sightline_memory_budget_bytes 67108864"));
  EXPECT_THAT(text, HasSubstr("sightline_memory_bytes 3145728"));
  EXPECT_THAT(text, HasSubstr(R"(sightline_operations{state="running"} 0)"));
}

TEST_F(ServicesTest, WhatIsDamagedIsShownAndCounted) {
  metrics_.SetCollector([&] {
    std::vector<Metrics::Sample> samples;
    AddSamples(database_, models_, *operations_, limits_, &metrics_.collections(), &samples);
    return samples;
  });
  EXPECT_THAT(metrics_.Text(), HasSubstr("sightline_damaged_collections 0\n"));
  database_.set_aside = {{.name = "lost", .status = absl::DataLossError("segment 7\nis cut")},
                         {.name = "half", .status = absl::DataLossError("so is 8"), .readable = true}};
  EXPECT_THAT(metrics_.Text(), HasSubstr("sightline_damaged_collections 2\n"));
  const std::string page = StatusPage(facts_, true, metrics_, database_, models_, *operations_, limits_);
  EXPECT_THAT(page, HasSubstr("collection lost: SET ASIDE, not served: segment 7?is cut\n"));
  EXPECT_THAT(page, HasSubstr("collection half: DAMAGED, read as far as possible: so is 8\n"));
}

TEST_F(ServicesTest, ADeviceThatIsNotUsedIsNamedWithWhy) {
  std::filesystem::create_directories(folder_.path() + "/m");
  ModelHub::Options options{.root = folder_.path(), .warm_up = WarmUp::kNone};
  options.placement.devices = {{.cuda = true}, {.cuda = true, .index = 1}};
  options.load = [](const std::string&,
                    const model::LoadOptions& load) -> absl::StatusOr<std::unique_ptr<model::Model>> {
    if (load.device.index == 1) return base::FailedPrecondition("DEVICE_MISSING", "it is\ngone. Look for it.");
    return std::make_unique<testing::FakeModel>();
  };
  ModelHub models(options, limits_, metrics_);
  ASSERT_TRUE(models.Load("m").ok());
  ServiceContext context{database_, models, embedder_, *operations_, workers_, loader_, limits_, metrics_, facts_};
  v1::GetServerInfoResponse info;
  ServerService(context).GetServerInfo(CallInfo(), &info);
  EXPECT_THAT(info.devices(), ElementsAre("cuda:0", "cuda:1"));
  ASSERT_EQ(info.warnings_size(), 1);
  EXPECT_EQ(info.warnings(0), "the model 'm' does not use cuda:1: it is\ngone. Look for it.");
  const std::string page = StatusPage(facts_, true, metrics_, database_, models, *operations_, limits_);
  EXPECT_THAT(page, HasSubstr(", on cuda:0, cuda:1, serving"));
  EXPECT_THAT(page, HasSubstr("\n  cuda:0\n  cuda:1: NOT USED: it is?gone. Look for it.\n"));
  metrics_.SetCollector([&] {
    std::vector<Metrics::Sample> samples;
    AddSamples(database_, models, *operations_, limits_, &metrics_.collections(), &samples);
    return samples;
  });
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_model_device_up{device="cuda:0",model="m"} 1)"));
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_model_device_up{device="cuda:1",model="m"} 0)"));
}

TEST_F(ServicesTest, TheCardOfTheIndexIsNamedUntilItIsLost) {
  const auto info = [this] {
    v1::GetServerInfoResponse reply;
    ServerService(context_).GetServerInfo(CallInfo(), &reply);
    return reply;
  };
  EXPECT_FALSE(info().has_index_card()) << "nobody asked for one";
  context_.card.why_not = "there is none. Buy one.";
  EXPECT_EQ(info().index_card().device(), "");
  EXPECT_EQ(info().index_card().why_none(), "there is none. Buy one.");

  const auto card = std::make_shared<index::gpu::Card>(3, "fake", index::gpu::CardBudget{});
  context_.card.why_not.clear();
  context_.card.rows = std::make_shared<index::FakeRowDevice>(card);
  EXPECT_EQ(info().index_card().device(), "cuda:3");
  EXPECT_EQ(info().index_card().name(), "fake");
  EXPECT_EQ(info().index_card().why_none(), "");
  EXPECT_FALSE(info().index_card().inverted_lists());
  EXPECT_FALSE(info().index_card().rerank());
  context_.card.lists = std::make_shared<index::FakeListDevice>(1000);
  EXPECT_TRUE(info().index_card().inverted_lists());
  EXPECT_FALSE(info().index_card().lost());
  EXPECT_EQ(info().warnings_size(), 0);

  card->Failed(base::Error(absl::StatusCode::kInternal, "CARD_LOST", "it broke. Mend it."));
  EXPECT_TRUE(info().index_card().lost());
  ASSERT_EQ(info().warnings_size(), 1);
  EXPECT_THAT(info().warnings(0), HasSubstr("has lost its card cuda:3"));
}

TEST_F(ServicesTest, StatusPageShowsWhatWasSetAndWhatWentWrong) {
  Incident incident = {.time = absl::UnixEpoch(),
                       .call = {},
                       .code = absl::StatusCode::kInternal,
                       .reason = "WHY",
                       .message = "two\nlines \x1b[2J",
                       .milliseconds = 12.34,
                       .stages = {{"embed", 5, 3}}};
  incident.call.method = "SearchService/Search";
  incident.call.collection = "a\nb";
  incident.call.request_id = "r1";
  incident.call.caller = "c\rd";  // a certificate's name may hold anything
  const std::string page = StatusPage(facts_, true, metrics_, database_, models_, *operations_, limits_,
                                      {.settings = {{"max_batch", "16"}},
                                       .queues = {{"model", 3}},
                                       .slow = {},
                                       .failures = std::vector<Incident>(30, incident)});
  EXPECT_THAT(page, HasSubstr("  max_batch = 16\n"));
  EXPECT_THAT(page, HasSubstr("queues: model 3\n"));
  EXPECT_THAT(page, HasSubstr("last slow requests: none\n"));
  EXPECT_THAT(page, HasSubstr("SearchService/Search INTERNAL 12.3 ms WHY, collection a?b, request r1, caller c?d\n"));
  EXPECT_THAT(page, HasSubstr("    two?lines ?[2J\n"));
  EXPECT_THAT(page, HasSubstr("embed 5.0 (batch of 3)\n"));
}

}  // namespace
}  // namespace sightline::server
