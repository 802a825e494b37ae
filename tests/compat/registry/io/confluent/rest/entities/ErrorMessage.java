package io.confluent.rest.entities;

/** As in rest-utils. */
public class ErrorMessage {
  public ErrorMessage(int errorCode, String message) {
  }
}
