//! Shard requests over HTTP.

use http::StatusCode;
use nodio_host::now_ms;
use nodio_wire::auth::{self, Request, Secret, Who};
use nodio_wire::client::http_pool;
use nodio_wire::donor::{DonorError, Transport};
use nodio_wire::ticket::{HEADER, Op, RECEIPT_HEADER, SignedTicket, Ticket, receipt};
use nodio_wire::{NodeId, ShardId};

use crate::coordinator::Coordinator;
use crate::{Donor, shard, transport};

#[tokio::test]
async fn shards_go_in_and_out_whole_and_in_ranges() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let transport = transport();
    for (seed, len) in [0, 1, 5000, 65_552, 300_000, 1_048_832].into_iter().enumerate() {
        let (id, data) = shard(seed as u64, len);
        transport.put(donor.url(), &donor.put_ticket(), id, data.clone()).await.unwrap();
        let read = donor.get_ticket(id);
        assert_eq!(transport.get(donor.url(), &read, id, None).await, Ok(data.clone()));
        if len > 2 {
            let range = len as u32 / 3..len as u32 - 1;
            let want = data.slice(range.start as usize..range.end as usize);
            assert_eq!(transport.get(donor.url(), &read, id, Some(range)).await, Ok(want));
        }
    }
    donor.stop().await;
}

/// The word for the coordinator is the same whether the shard is new or was there, and another for another ticket.
#[tokio::test]
async fn a_put_is_receipted_for_its_ticket() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let transport = transport();
    let (id, data) = shard(1, 5000);
    let ticket = |nonce| Ticket { op: Op::Put, node: donor.node(), shard: None, bytes_max: 5000, expires: u64::MAX, nonce };
    for (nonce, status) in [(1_000_001, 201), (1_000_002, 200), (1_000_001, 200)] {
        let signed = ticket(nonce).sign(&donor.secret);
        let stored = transport.put(donor.url(), &signed, id, data.clone()).await.unwrap();
        assert_eq!(stored.receipt, Some(receipt(&donor.secret, &id, nonce)), "{status}");
    }
    let refused = http_pool().unwrap().put(format!("{}/shards/{id}", donor.url())).body(data);
    assert!(!refused.send().await.unwrap().headers().contains_key(RECEIPT_HEADER));
    donor.stop().await;
}

#[tokio::test]
async fn a_store_ticket_serves_for_one_shard_and_its_retries() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let transport = transport();
    let ticket = donor.put_ticket();
    let (id, data) = shard(1, 1000);
    transport.put(donor.url(), &ticket, id, data.clone()).await.unwrap();
    transport.put(donor.url(), &ticket, id, data).await.unwrap();
    let (other, data) = shard(2, 1000);
    let refused = transport.put(donor.url(), &ticket, other, data).await;
    assert!(matches!(refused, Err(DonorError::Ticket(_))), "{refused:?}");
    donor.stop().await;
}

/// Everything that is not a request with the right ticket: 401, whether the shard is there or not.
#[tokio::test]
async fn without_the_right_ticket_nothing_is_said() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let (id, data) = shard(1, 1000);
    transport().put(donor.url(), &donor.put_ticket(), id, data).await.unwrap();
    let absent = ShardId::of(b"absent");
    let expired =
        Ticket { op: Op::Get, node: donor.node(), shard: Some(id), bytes_max: 0, expires: 5, nonce: 1 }.sign(&donor.secret);
    let forged = Ticket { op: Op::Get, node: donor.node(), shard: Some(id), bytes_max: 0, expires: u64::MAX, nonce: 1 };
    let elsewhere = Ticket { node: NodeId(99), ..forged.clone() }.sign(&donor.secret);
    let tickets = [
        None,
        Some(SignedTicket("nonsense".into())),
        Some(expired),
        Some(forged.sign(&Secret::random())),
        Some(elsewhere),
        Some(donor.get_ticket(absent)),
        Some(donor.put_ticket()),
    ];
    let pool = http_pool().unwrap();
    for ticket in tickets {
        let mut request = pool.get(format!("{}/shards/{id}", donor.url()));
        if let Some(SignedTicket(text)) = &ticket {
            request = request.header(HEADER, text);
        }
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{ticket:?}");
    }
    for path in ["/", "/shards", "/shards/zz", "/health", "/metrics", "/api/health"] {
        for method in ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"] {
            let method = method.parse().unwrap();
            let answer = pool.request(method, format!("{}{path}", donor.url())).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    donor.stop().await;
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let pool = http_pool().unwrap();
    let (id, data) = shard(1, 5000);
    let url = format!("{}/shards/{id}", donor.url());
    let status = async |request: reqwest::RequestBuilder, ticket: &SignedTicket| {
        request.header(HEADER, &ticket.0).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(pool.get(&url), &donor.get_ticket(id)).await, 404);
    assert_eq!(status(pool.put(&url).body(shard(2, 5000).1), &donor.put_ticket()).await, 422);
    let short = Ticket { op: Op::Put, node: donor.node(), shard: None, bytes_max: 4999, expires: u64::MAX, nonce: 7 };
    assert_eq!(status(pool.put(&url).body(data.clone()), &short.sign(&donor.secret)).await, 413);
    assert_eq!(status(pool.put(&url).body(vec![0; 1_100_000]), &donor.put_ticket()).await, 413);
    assert_eq!(status(pool.put(&url).body(data.clone()), &donor.put_ticket()).await, 201);
    assert_eq!(status(pool.put(&url).body(data.clone()), &donor.put_ticket()).await, 200);
    assert_eq!(status(pool.get(&url).header("range", "bytes=4999-5000"), &donor.get_ticket(id)).await, 416);
    assert_eq!(status(pool.get(&url).header("range", "bytes=-5"), &donor.get_ticket(id)).await, 416);
    assert_eq!(status(pool.post(&url), &donor.get_ticket(id)).await, 405);
    let head = pool.head(&url).header(HEADER, donor.get_ticket(id).0).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, "5000"));
    assert_eq!(status(pool.delete(&url), &donor.get_ticket(id)).await, 401);
    for _ in 0..2 {
        assert_eq!(status(pool.delete(&url), &donor.ticket(Op::Delete, Some(id))).await, 204);
    }
    assert_eq!(status(pool.get(&url), &donor.get_ticket(id)).await, 404);
    donor.stop().await;
}

#[tokio::test]
async fn a_full_donor_says_so_and_stays_within_its_capacity() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let transport = transport();
    let mut taken = 0;
    let refused = loop {
        let (id, data) = shard(taken, 1_048_832);
        match transport.put(donor.url(), &donor.put_ticket(), id, data).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, DonorError::Full);
    assert!(taken > 50, "only {taken} were taken");
    let beats =
        coordinator.until("a beat of a full donor", |said| said.beats.last().filter(|beat| beat.shards == taken).cloned());
    let beat = beats.await;
    assert!(beat.used_bytes <= 64 << 20 && beat.free_bytes < 1_048_832, "{beat:?}");
    donor.stop().await;
}

#[tokio::test]
async fn health_is_told_to_who_shares_the_secret() {
    let coordinator = Coordinator::start().await;
    let donor = Donor::join(&coordinator).await;
    let pool = http_pool().unwrap();
    let request = Request { method: "GET", path: "/health", body: b"" };
    let ask =
        async |header: String| pool.get(format!("{}/health", donor.url())).header(auth::HEADER, header).send().await.unwrap();
    coordinator.until("a second beat", |said| said.beats.get(1).map(drop)).await;
    let answer = ask(request.sign(&donor.secret, Who::Node(donor.node()), now_ms())).await;
    assert_eq!(answer.status().as_u16(), 200);
    let health: serde_json::Value = answer.json().await.unwrap();
    assert_eq!((health["status"].as_str(), health["shards"].as_u64()), (Some("ok"), Some(0)));
    assert_eq!(health["standing"]["state"].as_str(), Some("vetting"));
    for (secret, who) in [(Secret::random(), Who::Node(donor.node())), (donor.secret.clone(), Who::Node(NodeId(77)))] {
        assert_eq!(ask(request.sign(&secret, who, now_ms())).await.status().as_u16(), 401);
    }
    donor.stop().await;
}
