//! The rest of what tests ask of S3: deletes, copies, multipart uploads.

use anyhow::{Context, Result};
use reqwest::Response;

use crate::s3::{Call, Refusal, S3, object_path, outcome, refusal_in, within};

/// An answer's text, or S3's error, also where it comes with a 200.
async fn text_of(answer: Response) -> Result<Result<String, Refusal>> {
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    let well = status < 300 && !text.contains("<Error>");
    Ok(if well { Ok(text) } else { Err(refusal_in(status, &text)) })
}

fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0.to_owned())
}

/// An upload that was begun.
#[derive(Debug, Clone)]
pub struct Upload {
    pub bucket: String,
    pub key: String,
    pub id: String,
    etags: Vec<String>,
}

impl S3 {
    pub async fn delete(&self, bucket: &str, key: &str) -> Result<Result<(), Refusal>> {
        let answer = within(self.patience, self.send(Call::new("DELETE", object_path(bucket, key)))).await??;
        outcome(answer).await
    }

    pub async fn copy(&self, bucket: &str, from: &str, to: &str) -> Result<Result<(), Refusal>> {
        let call = Call::new("PUT", object_path(bucket, to)).header("content-length", "0");
        let call = call.header("x-amz-copy-source", object_path(bucket, from));
        let text = text_of(within(self.patience, self.send(call)).await??).await?;
        Ok(text.map(drop))
    }

    /// `headers` go with the finished object.
    pub async fn begin_upload(&self, bucket: &str, key: &str, headers: &[(&str, String)]) -> Result<Result<Upload, Refusal>> {
        let mut call = Call::new("POST", format!("{}?uploads=", object_path(bucket, key))).header("content-length", "0");
        for (name, value) in headers {
            call = call.header(name, value.clone());
        }
        let text = match text_of(within(self.patience, self.send(call)).await??).await? {
            Ok(text) => text,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let id = element(&text, "UploadId").context("no upload id")?;
        Ok(Ok(Upload { bucket: bucket.to_owned(), key: key.to_owned(), id, etags: Vec::new() }))
    }

    /// The next part.
    pub async fn put_part(&self, upload: &mut Upload, bytes: Vec<u8>) -> Result<Result<(), Refusal>> {
        let part = upload.etags.len() + 1;
        let path = format!("{}?partNumber={part}&uploadId={}", object_path(&upload.bucket, &upload.key), upload.id);
        let call = Call::new("PUT", path).header("content-length", bytes.len().to_string()).body(bytes);
        let answer = within(self.patience, self.send(call)).await??;
        let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok()).unwrap_or_default().to_owned();
        let stored = outcome(answer).await?;
        Ok(stored.map(|()| upload.etags.push(etag)))
    }

    pub async fn complete_upload(&self, upload: &Upload) -> Result<Result<(), Refusal>> {
        let part = |(at, etag): (usize, &String)| format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", at + 1);
        let parts: String = upload.etags.iter().enumerate().map(part).collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let path = format!("{}?uploadId={}", object_path(&upload.bucket, &upload.key), upload.id);
        let call = Call::new("POST", path).header("content-length", body.len().to_string()).body(body);
        let text = text_of(within(self.patience, self.send(call)).await??).await?;
        Ok(text.map(drop))
    }

    pub async fn abort_upload(&self, upload: &Upload) -> Result<Result<(), Refusal>> {
        let path = format!("{}?uploadId={}", object_path(&upload.bucket, &upload.key), upload.id);
        outcome(within(self.patience, self.send(Call::new("DELETE", path))).await??).await
    }
}
